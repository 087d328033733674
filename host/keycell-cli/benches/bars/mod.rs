//! Stacked horizontal bars as an SVG.

use std::{fmt::Write, time::Duration};

const WIDTH: f64 = 720.0;
const MARGIN: f64 = 16.0;
/// Where the bars begin, to the right of their names.
const LEFT: f64 = 165.0;
/// The space for the total to the right of the longest bar.
const RIGHT: f64 = 80.0;
const ROW: f64 = 44.0;
const BAR: f64 = 28.0;
const LINE: f64 = 22.0;
/// The width from which on a part has its figure in it.
const WIDE: f64 = 30.0;
/// Light colours, on which black text is readable. The picture has a background of its own, so that
/// it is the same on light and dark pages.
const COLOURS: [&str; 5] = ["#8ecae6", "#ffd166", "#a7d68b", "#f4a6a0", "#cdb4db"];

pub struct Bar {
    pub name: &'static str,
    pub parts: [Duration; COLOURS.len()],
}

/// Draws the bars. The parts of each have these names, in this order.
pub fn draw(title: &str, parts: [&str; COLOURS.len()], bars: &[Bar]) -> String {
    let longest = bars.iter().map(Bar::total).fold(0.0, f64::max);
    let scale = (WIDTH - LEFT - RIGHT) / longest;
    let height = MARGIN + LINE + ROW * bars.len() as f64 + LINE * parts.len() as f64 + MARGIN;
    let mut svg = String::new();
    let mut line = |text: std::fmt::Arguments<'_>| writeln!(svg, "{text}").expect("a string takes it");
    line(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title desc">"#
    ));
    line(format_args!(r#"<title id="title">{title}</title>"#));
    line(format_args!(r#"<desc id="desc">{}</desc>"#, description(parts, bars)));
    line(format_args!(r##"<rect width="{WIDTH}" height="{height}" rx="6" fill="#fff"/>"##));
    line(format_args!(r##"<g font-family="system-ui, sans-serif" font-size="13" fill="#111">"##));
    line(format_args!(r#"<text x="{MARGIN}" y="{}" font-weight="600">{title}</text>"#, MARGIN + 13.0));
    for (row, bar) in bars.iter().enumerate() {
        let top = MARGIN + LINE + ROW * row as f64 + (ROW - BAR) / 2.0;
        let baseline = top + BAR / 2.0 + 4.5;
        line(format_args!(r#"<text x="{MARGIN}" y="{baseline}">{}</text>"#, bar.name));
        let mut left = LEFT;
        for (part, colour) in bar.parts.iter().zip(COLOURS) {
            let (time, width) = (microseconds(*part), microseconds(*part) * scale);
            line(format_args!(
                r##"<rect x="{left:.1}" y="{top}" width="{width:.1}" height="{BAR}" fill="{colour}" stroke="#fff"/>"##
            ));
            if width >= WIDE {
                let middle = left + width / 2.0;
                line(format_args!(r#"<text x="{middle:.1}" y="{baseline}" text-anchor="middle">{time:.1}</text>"#));
            }
            left += width;
        }
        let total = bar.total();
        line(format_args!(r#"<text x="{:.1}" y="{baseline}" font-weight="600">{total:.1} µs</text>"#, left + 6.0));
    }
    for (row, (part, colour)) in parts.iter().zip(COLOURS).enumerate() {
        let top = MARGIN + LINE + ROW * bars.len() as f64 + LINE * row as f64 + 6.0;
        line(format_args!(r#"<rect x="{LEFT}" y="{top}" width="12" height="12" fill="{colour}"/>"#));
        line(format_args!(r#"<text x="{}" y="{}">{part}</text>"#, LEFT + 20.0, top + 11.0));
    }
    line(format_args!("</g>\n</svg>"));
    svg
}

/// All figures as a text.
fn description(parts: [&str; COLOURS.len()], bars: &[Bar]) -> String {
    let sentences = bars.iter().map(|bar| {
        let figures = bar.parts.iter().zip(parts).map(|(time, part)| format!("{part} {:.1}", microseconds(*time)));
        format!("{}: {:.1} µs ({}).", bar.name, bar.total(), figures.collect::<Vec<_>>().join(", "))
    });
    sentences.collect::<Vec<_>>().join(" ")
}

impl Bar {
    fn total(&self) -> f64 {
        microseconds(self.parts.iter().sum())
    }
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
