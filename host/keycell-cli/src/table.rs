//! Tables for people: aligned columns that never wrap.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::{error::CommandError, output};

/// The space between two columns.
const GAP: &str = "  ";
/// The mark of a text that was cut.
const CUT: char = '…';

/// A column.
pub struct Column {
    /// The heading.
    pub heading: &'static str,
    /// The maximum width. A longer text is cut.
    pub max_width: usize,
}

impl Column {
    pub const fn new(heading: &'static str, max_width: usize) -> Self {
        Self { heading, max_width }
    }
}

/// A table that is printed page by page.
pub struct Table<'a> {
    columns: &'a [Column],
    /// The widths of the columns; `None` before the first page.
    widths: Option<Vec<usize>>,
}

impl<'a> Table<'a> {
    pub const fn new(columns: &'a [Column]) -> Self {
        Self { columns, widths: None }
    }

    /// Prints a page of rows, the first one under the headings. Columns have the width that the
    /// first page needs, or their maximum width if more pages follow.
    pub fn print(&mut self, rows: &[Vec<String>], more_follow: bool) -> Result<(), CommandError> {
        if self.widths.is_none() {
            let widths = self.columns.iter().enumerate().map(|(index, column)| {
                let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.width());
                let needed = cells.chain([column.heading.width()]).max().unwrap_or_default();
                if more_follow { column.max_width } else { needed.min(column.max_width) }
            });
            let widths: Vec<_> = widths.collect();
            let headings: Vec<_> = self.columns.iter().map(|column| column.heading.to_owned()).collect();
            output::label(&line(&headings, &widths))?;
            self.widths = Some(widths);
        }
        let widths = self.widths.as_deref().unwrap_or_default();
        let lines: Vec<_> = rows.iter().map(|row| line(row, widths)).collect();
        if lines.is_empty() { Ok(()) } else { output::line(&lines.join("\n")) }
    }
}

/// Formats a row without spaces at its end.
fn line(cells: &[String], widths: &[usize]) -> String {
    let cells: Vec<_> = cells.iter().zip(widths).map(|(cell, &width)| fit(cell, width)).collect();
    cells.join(GAP).trim_end().to_owned()
}

/// Cuts or fills a text to a width.
fn fit(text: &str, width: usize) -> String {
    let mut fitted = text.to_owned();
    if text.width() > width {
        let mut room = width.saturating_sub(1);
        let fits = |char: &char| {
            let left = room.checked_sub(char.width().unwrap_or_default());
            room = left.unwrap_or_default();
            left.is_some()
        };
        fitted = text.chars().take_while(fits).chain([CUT]).collect();
    }
    let missing = width.saturating_sub(fitted.width());
    fitted.extend(std::iter::repeat_n(' ', missing));
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_or_filled_to_the_width() {
        assert_eq!(fit("abc", 5), "abc  ");
        assert_eq!(fit("abcde", 5), "abcde");
        assert_eq!(fit("abcdef", 5), "abcd…");
        assert_eq!(fit("日本語", 6), "日本語");
        assert_eq!(fit("日本語", 5), "日本…");
        assert_eq!(fit("日本語", 4), "日… ");
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 3), "e\u{301}e\u{301}e\u{301}");
    }

    #[test]
    fn a_line_has_no_spaces_at_its_end() {
        assert_eq!(line(&["a".to_owned(), String::new()], &[3, 4]), "a");
        assert_eq!(line(&["a".to_owned(), "b".to_owned()], &[3, 4]), "a    b");
    }
}
