//! A report as one page of HTML: no script, nothing fetched, tables that break between rows when printed.
//!
//! In: a [`Report`]. Out: the page. Never here: numbers that the report does not hold. Every text is escaped: names of endpoints are
//! what strangers sent.
use std::fmt::Write as _;

use enforcer_policy::Moment;
use enforcer_policy::document::rfc3339;

use super::{Covered, Report, SHOWN};
use crate::wire::{ApiLine, DecisionReport, FindingReport};

const STYLE: &str = "body{font:14px/1.45 system-ui,sans-serif;color:#1a1a1a;max-width:72em;margin:2em auto;padding:0 1em}\
h1{font-size:1.7em;margin-bottom:.1em}h2{font-size:1.2em;margin-top:2em;border-bottom:1px solid #bbb}\
table{border-collapse:collapse;width:100%;margin:.6em 0}th,td{text-align:left;vertical-align:top;padding:.25em .6em;\
border-bottom:1px solid #ddd;overflow-wrap:anywhere}th{border-bottom:2px solid #888}td.n{text-align:right}p.q{color:#555}\
.bad{color:#a40000;font-weight:600}.mild{color:#8a5a00}.good{color:#20651f}\
@media print{body{margin:0;max-width:none;font-size:10pt}tr,h2{break-inside:avoid}h2{break-after:avoid}thead{display:table-header-group}}";

/// The whole page.
pub fn page(report: &Report) -> String {
    let mut page = Page(String::new());
    page.raw("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
    page.text(&format!("Enforcer on {}, {}", report.host, report.month));
    page.raw(&format!("</title><style>{STYLE}</style></head><body>\n"));
    page.head(report);
    page.inventory(report);
    page.coverage(&report.coverage);
    page.findings(report);
    page.decisions(report);
    page.exceptions(report);
    page.drift(report);
    page.raw("</body></html>\n");
    page.0
}

struct Page(String);

/// A cell: its text, and the class of its looks.
struct Cell(String, &'static str);

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self(text, "")
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self(text.to_owned(), "")
    }
}

impl From<u64> for Cell {
    fn from(number: u64) -> Self {
        Self(number.to_string(), "n")
    }
}

impl Page {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn text(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                letter if letter.is_control() => self.0.push('\u{fffd}'),
                letter => self.0.push(letter),
            }
        }
    }

    fn chapter(&mut self, title: &str) {
        let _ = writeln!(self.0, "<h2>{title}</h2>");
    }

    fn line(&mut self, class: &str, text: &str) {
        let _ = write!(self.0, "<p class=\"{class}\">");
        self.text(text);
        self.raw("</p>\n");
    }

    /// Says `nothing` in place of a table without rows.
    fn table(&mut self, titles: &[&str], rows: Vec<Vec<Cell>>, nothing: &str) {
        if rows.is_empty() {
            return self.line("q", nothing);
        }
        self.raw("<table><thead><tr>");
        for title in titles {
            self.raw("<th>");
            self.text(title);
        }
        self.raw("</thead><tbody>\n");
        for row in rows {
            self.raw("<tr>");
            for Cell(text, class) in row {
                let _ = write!(self.0, "<td class=\"{class}\">");
                self.text(&text);
            }
            self.raw("\n");
        }
        self.raw("</tbody></table>\n");
    }

    fn head(&mut self, report: &Report) {
        self.raw("<h1>");
        self.text(&format!("{}: {}", report.host, report.month));
        self.raw("</h1>\n");
        let made = rfc3339(Moment(report.made_at));
        self.line("q", &format!("Enforcer {}, made {made}; times are UTC, tokens are masked", report.version));
        let (new, findings) = (report.inventory.new.len(), report.findings.len());
        let made: u64 = report.decisions.made.values().flat_map(|who| who.values()).sum();
        let (known, in_force) = (report.inventory.known, report.decisions.in_force);
        self.line("", &format!(
            "{known} endpoints are known, {new} of them since this month. {findings} findings. {made} decisions were made and still \
             hold; {in_force} are in force."
        ));
        for problem in &report.problems {
            self.line("bad", problem);
        }
    }

    fn inventory(&mut self, report: &Report) {
        self.chapter("Inventory");
        let row = |one: &ApiLine| -> Vec<Cell> {
            let open = if one.open > 0 { Cell(one.open.to_string(), "n mild") } else { one.open.into() };
            let place = format!("{} {}", one.method, one.path);
            vec![
                one.service.as_str().into(),
                place.into(),
                one.calls.into(),
                open,
                one.errors.into(),
                u64::from(one.risk).into(),
            ]
        };
        let titles = ["Service", "Endpoint", "Calls", "Without credentials", "Errors", "Risk"];
        for (title, lines, nothing) in [
            ("First called this month", &report.inventory.new, "No endpoint was called for the first time."),
            ("Of high risk", &report.inventory.risky, "No endpoint is of high risk."),
            ("Not called any more", &report.inventory.silent, "Every endpoint that is known was called."),
        ] {
            self.raw(&format!("<h3>{title}</h3>\n"));
            self.table(&titles, lines.iter().map(row).collect(), nothing);
        }
    }

    fn coverage(&mut self, coverage: &[Covered]) {
        self.chapter("Coverage");
        let names: Vec<&str> =
            coverage.first().map_or_else(Vec::new, |one| one.filters.keys().map(String::as_str).collect());
        let row = |one: &Covered| {
            let front = [format!("{} ({})", one.service, one.from).into(), mode(&one.mode)];
            front.into_iter().chain(one.filters.values().map(|word| mode(word))).collect()
        };
        let titles: Vec<&str> = ["Service", "Decisions"].into_iter().chain(names).collect();
        self.table(&titles, coverage.iter().map(row).collect(), "No service is named: no request is judged.");
    }

    fn findings(&mut self, report: &Report) {
        self.chapter("Findings");
        let row = |FindingReport { finding, decision }: &FindingReport| -> Vec<Cell> {
            let place = format!("{} {}", finding.service, finding.endpoint.as_deref().unwrap_or_default());
            let who =
                finding.subject().map_or_else(String::new, |subject| format!("{} {subject}", subject.kind().name()));
            let end =
                decision.map_or_else(|| Cell("open".to_owned(), "mild"), |id| Cell(format!("decision {id}"), "good"));
            let what = format!("{} ({})", finding.kind, finding.risk.name());
            let class =
                if finding.severity.name() == "critical" || finding.severity.name() == "high" { "bad" } else { "" };
            let severity = Cell(finding.severity.name().to_owned(), class);
            vec![
                severity,
                what.into(),
                place.into(),
                who.into(),
                finding.count.into(),
                rfc3339(finding.last).into(),
                end,
            ]
        };
        let titles = ["Severity", "What", "Where", "Who", "Times", "Last", "Became"];
        self.table(&titles, report.findings.iter().map(row).collect(), "Nothing was found.");
        if report.older_findings > 0 {
            self.line(
                "q",
                &format!("{} older findings are known to the agent and not looked at here.", report.older_findings),
            );
        }
    }

    fn decisions(&mut self, report: &Report) {
        self.chapter("Decisions");
        let counts = report.decisions.made.iter().flat_map(|(origin, people)| {
            people.iter().map(move |(who, count)| vec![origin.as_str().into(), who.as_str().into(), (*count).into()])
        });
        self.table(&["Origin", "Answerable", "Made this month"], counts.collect(), "No decision of this month holds.");
        let row = |one: &DecisionReport| -> Vec<Cell> {
            let place =
                [one.service.as_deref(), one.endpoint.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
            let until = one.until.map_or_else(|| Cell("for good".to_owned(), "mild"), |until| rfc3339(until).into());
            let what = format!("{} {} {}", one.action.name(), one.kind.name(), one.subject);
            vec![
                rfc3339(one.created).into(),
                what.into(),
                place.into(),
                one.approved_by.as_str().into(),
                one.reason.as_str().into(),
                until,
            ]
        };
        let latest = report.decisions.latest.iter().rev().map(row).collect();
        self.table(&["Made", "What", "Where", "Answerable", "Why", "Until"], latest, "");
        self.line("q", &format!(
            "{} of those in force have no end. The last {SHOWN} of the month are shown; decisions that ended within it are in the \
             journal of the host and in the center's audit log.",
            report.decisions.for_good
        ));
    }

    fn exceptions(&mut self, report: &Report) {
        self.chapter("Exceptions");
        let row = |one: &enforcer_insight::findings::Exception| -> Vec<Cell> {
            let place = format!("{} {}", one.service, one.endpoint.as_deref().unwrap_or_default());
            let who =
                one.subject.as_ref().map_or_else(|| "anybody".to_owned(), |who| format!("{} {who}", who.kind().name()));
            let until = one.until.map_or_else(|| Cell("for good".to_owned(), "mild"), |until| rfc3339(until).into());
            vec![
                format!("{} {}", one.filter, one.kind).into(),
                place.into(),
                who.into(),
                one.reason.as_str().into(),
                until,
            ]
        };
        let rows = report.exceptions.iter().map(row).collect();
        self.table(&["What", "Where", "Who", "Why", "Until"], rows, "Nothing is excepted.");
    }

    fn drift(&mut self, report: &Report) {
        self.chapter("Kernel and policy");
        let (now, mended) = report.drift;
        let class = if now == 0 { "good" } else { "bad" };
        self.line(
            class,
            &format!("{now} differences at the last comparison; {mended} mended since the agent started."),
        );
    }
}

/// What a filter or a service may do, in its colour.
fn mode(word: &str) -> Cell {
    let class = match word {
        "enforce" => "good",
        "stopped" => "bad",
        "off" => "mild",
        _ => "",
    };
    Cell(word.to_owned(), class)
}
