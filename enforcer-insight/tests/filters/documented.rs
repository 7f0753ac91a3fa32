//! What is written about filters is what they are. In: `docs/FILTERS.md`, the catalogue. Out: lines that are missing.
use enforcer_insight::filters::Catalogue;

const TEXT: &str = include_str!("../../../docs/FILTERS.md");

#[test]
fn every_filter_and_parameter_stands_in_the_documentation() {
    let mut wanted = Vec::new();
    for entry in Catalogue::built_in().iter() {
        wanted.push(format!("| `{}` | {} | {} |", entry.name, entry.title, entry.risk.name()));
        for parameter in entry.schema.iter() {
            let (name, default, kind) = (&parameter.name, &parameter.default, &parameter.kind);
            let doc = parameter.doc.replace('|', "\\|");
            wanted.push(format!("| `{}` | `{name}` | `{default}` | {kind} | {doc} |", entry.name));
        }
    }
    let missing: Vec<&String> =
        wanted.iter().filter(|line| !TEXT.lines().any(|found| found.starts_with(line.as_str()))).collect();
    assert_eq!(missing, Vec::<&String>::new());
    let rows = TEXT.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!(rows, wanted.len(), "and nothing else");
}
