//! From TOML files to one document.
//!
//! In: names and texts. Out: the document, or every problem. A name that two files define, and a name that nobody defines,
//! are problems of the file that comes later. Never here: the sections themselves (see `sections.rs`).
use std::collections::BTreeMap;

use toml::de::DeTable;

use super::{Document, FileProblem, FileProblems};
use crate::reading::{Problem, Report, Section};

/// Bytes of one file at most.
pub const LONGEST_FILE: usize = 16 << 20;

/// What was named, and where: to find names twice given and names of nothing.
#[derive(Default)]
pub(super) struct Names {
    /// Kind and name of what is defined, with the file.
    pub(super) defined: BTreeMap<(&'static str, String), String>,
    /// Uses of names: kind, name, and where.
    pub(super) used: Vec<(&'static str, String, FilePlace)>,
    /// The file that is read now.
    pub(super) file: String,
}

/// A place in a file.
pub(super) struct FilePlace {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) place: String,
}

impl Document {
    /// Reads files, each with its name.
    pub fn parse(files: &[(String, String)]) -> Result<Self, FileProblems> {
        let (mut document, mut names, mut problems) = (Self::default(), Names::default(), Vec::new());
        for (file, text) in files {
            names.file.clone_from(file);
            let found = read(text, &mut document, &mut names);
            problems.extend(found.into_iter().map(|problem| FileProblem { file: file.clone(), problem }));
        }
        problems.extend(names.dangling());
        problems.sort();
        if problems.is_empty() { Ok(document) } else { Err(FileProblems(problems)) }
    }
}

fn read(text: &str, document: &mut Document, names: &mut Names) -> Vec<Problem> {
    if text.len() > LONGEST_FILE {
        let what = format!("the file has {} bytes", text.len());
        let mend = format!("split it: at most {LONGEST_FILE} bytes are read; long lists go to `enforcer import`");
        return vec![Problem { line: 1, place: "file".to_owned(), what, mend }];
    }
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut report = Report::new(text, &errors);
    super::sections::document(Section::root(table.get_ref()), document, names, &mut report);
    report.finish().err().map_or_else(Vec::new, |problems| problems.0)
}

impl Names {
    /// Notes a definition; false when there was one.
    pub(super) fn define(&mut self, kind: &'static str, name: &str) -> Result<(), String> {
        match self.defined.insert((kind, name.to_owned()), self.file.clone()) {
            None => Ok(()),
            Some(file) => Err(file),
        }
    }

    fn dangling(&self) -> Vec<FileProblem> {
        let unknown = self.used.iter().filter(|(kind, name, _)| !self.defined.contains_key(&(kind, name.clone())));
        let problem = |(kind, name, at): &(&'static str, String, FilePlace)| {
            let known: Vec<&str> =
                self.defined.keys().filter(|(other, _)| other == kind).map(|(_, name)| name.as_str()).collect();
            let mend = crate::reading::nearest(name, &known).map_or_else(
                || format!("add [{kind}.{name}], or name one of: {}", known.join(", ")),
                |near| format!("did you mean {near}?"),
            );
            let what = format!("there is no {kind} {}", crate::reading::shown(name));
            let problem = Problem { line: at.line, place: at.place.clone(), what, mend };
            FileProblem { file: at.file.clone(), problem }
        };
        unknown.map(problem).collect()
    }
}
