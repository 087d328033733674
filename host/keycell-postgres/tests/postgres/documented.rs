//! The SQL of `docs/scaling.md`.

/// The block of SQL of the page that begins with these words.
pub fn sql(beginning: &str) -> String {
    let page = include_str!("../../../../docs/scaling.md");
    let block = page.split("```sql\n").skip(1).find(|block| block.starts_with(beginning)).unwrap();
    block.split("```").next().unwrap().to_owned()
}

/// The statements that make a role for hosts.
pub fn grants(role: &str) -> String {
    sql("CREATE ROLE keycell_host").replace("keycell_host", role)
}
