//! Clean texts that are built like programs are, from expressions and statements of many languages, written before anybody looked at the rules:
//! commands, queries, programs, templates, pages and formulas, whole and by themselves or among words. In: a seed. Out: texts. Never here: attacks.

use super::grammar::Random;

/// One built text.
pub(crate) fn built(random: &mut Random) -> String {
    let thing = match random.below(10) {
        0 | 1 => shell(random),
        2 | 3 => query(random, 1),
        4 | 5 => program(random),
        6 => page(random, 2),
        7 => template(random),
        8 => formula(random),
        _ => phrase(random),
    };
    around(thing, random)
}

/// Half of them stand by themselves.
fn around(thing: String, random: &mut Random) -> String {
    let name = random.pick(WORDS);
    match random.below(12) {
        0 => format!("{}: {thing}", phrase(random)),
        1 => format!("{thing}\n\n{}", phrase(random)),
        2 => format!("{}\n\n    {thing}\n\n{}?", phrase(random), phrase(random)),
        3 => format!("I'm trying to use {thing} for our {name}, but it doesn't do anything."),
        4 => format!("> {thing}\nIsn't that the {name}'s job?"),
        5 => format!("{thing} # {name}"),
        _ => thing,
    }
}

fn phrase(random: &mut Random) -> String {
    let words: Vec<&str> = (0..3 + random.below(8)).map(|_| random.pick(PROSE)).collect();
    words.join(" ")
}

fn word(random: &mut Random) -> &'static str {
    random.pick(WORDS)
}

fn number(random: &mut Random) -> usize {
    let size = random.pick(&["9", "90", "9000"]).parse().unwrap();
    random.below(size)
}

fn shell(random: &mut Random) -> String {
    let joints = [" && ", " | ", "; ", " || ", "\n", " & "];
    let mut line = simple(random);
    for _ in 0..random.below(4) {
        line += joints[random.below(joints.len())];
        line += &simple(random);
    }
    line + random.pick(&["", "", "", " > result.txt", " 2>/dev/null", " &", " >> run.log 2>&1"])
}

fn simple(random: &mut Random) -> String {
    let program = random.pick(PROGRAMS);
    let arguments: Vec<String> = (0..random.below(4)).map(|_| argument(random)).collect();
    format!("{program} {}", arguments.join(" ")).trim_end().to_owned()
}

fn argument(random: &mut Random) -> String {
    let (name, n) = (word(random), number(random));
    match random.below(12) {
        0 => format!("--{name}={n}"),
        1 => format!("-{}", random.pick(&["l", "a", "rf", "n 5", "xvf", "p", "h"])),
        2 => format!("/var/lib/{name}"),
        3 => format!("./{name}.sh"),
        4 => format!("\"${}\"", name.to_uppercase()),
        5 => format!("'{name} {n}'"),
        6 => format!("$({} {name})", random.pick(&["basename", "date +%s", "git rev-parse", "nproc", "pwd"])),
        7 => format!("../{name}"),
        8 => format!("https://{name}.example.net/{n}"),
        9 => format!("{name}@{name}.example.net:{n}"),
        10 => format!("*.{name}"),
        _ => name.to_owned(),
    }
}

fn query(random: &mut Random, depth: usize) -> String {
    let (table, n) = (word(random), number(random));
    let (column, value) = (word(random), literal(random));
    let what = condition(random, depth);
    match random.below(11) {
        0 => format!("insert into {table} ({column}, {}) values ({value}, {n});", word(random)),
        1 => format!("update {table} set {column} = {value} where {what}"),
        2 => format!("delete from {table} where {what};"),
        3 => format!("create index on {table} ({column}); analyze {table};"),
        4 => format!("select {column} from {table} where {what} union select {} from {}", word(random), word(random)),
        5 => format!("select case when {what} then 'yes' else 'no' end from {table} limit {n}"),
        6 => format!("SELECT TOP {n} [{column}] FROM [dbo].[{table}] WITH (NOLOCK) WHERE {what}"),
        7 => format!("SELECT `{column}`, COUNT(1) FROM `{table}` WHERE {what} GROUP BY 1 /* {} */", word(random)),
        8 => format!("MATCH (p:{table})-[:{}]->(c) WHERE p.{column} = {value} RETURN c", word(random).to_uppercase()),
        9 => format!("db.{table}.find({{ {column}: {{ $gt: {n} }}, $or: [{{ {}: {value} }}] }})", word(random)),
        _ => format!("SELECT {column} FROM {table} WHERE {what} ORDER BY {column}"),
    }
}

fn condition(random: &mut Random, depth: usize) -> String {
    let (column, value) = (word(random), literal(random));
    match random.below(if depth == 0 { 4 } else { 7 }) {
        0 => format!("{column} = {value}"),
        1 => format!("{column} between {} and {}", number(random), number(random)),
        2 => format!("lower({column}) like '%{}%'", word(random)),
        3 => format!("{column} is not null"),
        4 => format!("{column} in ({})", query(random, depth - 1).trim_end_matches(';')),
        5 => format!("{} or {}", condition(random, depth - 1), condition(random, depth - 1)),
        _ => format!("{} and not ({})", condition(random, depth - 1), condition(random, depth - 1)),
    }
}

fn literal(random: &mut Random) -> String {
    match random.below(5) {
        0 => number(random).to_string(),
        1 => random.pick(&["'O''Hara'", "'it''s'", "''", "'%'", "'N/A'"]).to_owned(),
        2 => random.pick(&["now()", "null", "true", "current_date", ":id", "?", "@p1", "$1"]).to_owned(),
        _ => format!("'{}'", word(random)),
    }
}

fn program(random: &mut Random) -> String {
    let lines = 1 + random.below(5);
    let kind = random.below(6);
    let body: Vec<String> = (0..lines).map(|_| statement(kind, random)).collect();
    let name = word(random);
    match (kind, random.below(2)) {
        (0, 0) => format!("def {name}(self, x=None):\n    {}", body.join("\n    ")),
        (1, 0) => format!("function {name}(a, b) {{\n  {}\n}}", body.join("\n  ")),
        (2, 0) => format!("<?php\n{}\n?>", body.join("\n")),
        (3, 0) => format!("public void {name}() throws Exception {{ {} }}", body.join(" ")),
        (4, 0) => format!("fn {name}(&self) -> Result<(), Error> {{\n    {}\n    Ok(())\n}}", body.join("\n    ")),
        (5, 0) => format!("class {name}\n  {}\nend", body.join("\n  ")),
        _ => body.join("\n"),
    }
}

fn statement(kind: usize, random: &mut Random) -> String {
    let (a, b, n) = (word(random), word(random), number(random));
    let value = expression(random, 1);
    let pick = random.below(4);
    let sql = condition(random, 0);
    match (kind, pick) {
        (0, 0) => format!("{a} = [x.{b} for x in {a}s if x['{b}'] != {n}]"),
        (0, 1) => format!("subprocess.run(['{a}', '-{}', f'{{{b}}}'], check=True)", random.pick(&["v", "c", "f"])),
        (0, 2) => format!("print(f\"{a}: {{{value}}}\") or exit({n})"),
        (0, _) => format!("cur.execute(\"select {a} from {b} where {sql}\", ({a},))"),
        (1, 0) => format!("const {{ {a}, {b} = {n} }} = await import('./{a}/{b}');"),
        (1, 1) => format!("document.querySelector('#{a}').addEventListener('click', () => {{ {b}({n}); }});"),
        (1, 2) => format!("let {a} = `${{{b}}} of ${{{value}}}`;"),
        (1, _) => format!("if ({a} && !{b}) {{ window.location.href = '/{a}?{b}=' + {n}; }}"),
        (2, 0) => format!("${a} = $_GET['{b}'] ?? '{n}';"),
        (2, 1) => format!("echo \"<td>\" . htmlspecialchars(${a}['{b}']) . \"</td>\";"),
        (2, _) => format!("$db->query(\"SELECT * FROM {a} WHERE {b} = '\" . ${a} . \"'\");"),
        (3, 0) => format!("Map<String, List<{a}>> {b} = new HashMap<>();"),
        (3, 1) => format!("System.out.println(\"{a}'s {b}: \" + ({value}));"),
        (3, _) => format!("Runtime.getRuntime().availableProcessors(); {a}.set{b}({n});"),
        (4, 0) => format!("let {a} = {b}.iter().filter(|x| x.{b} > {n}).collect::<Vec<_>>();"),
        (4, _) => format!("println!(\"{{{a}:?}} {{}}\", {value});"),
        (_, 0) => format!("{a} = {b}.map {{ |x| x[:{a}] || '{n}' }}"),
        (_, 1) => format!("puts \"#{{{a}}} and #{{{value}}}\""),
        _ => format!("printf(\"%s: %d\\n\", {a}, {b} & 0x{n:x});"),
    }
}

fn expression(random: &mut Random, depth: usize) -> String {
    let operators = ["+", "*", "&&", "||", "==", "<", "-", "/", "%"];
    let name = word(random);
    match random.below(if depth == 0 { 3 } else { 5 }) {
        0 => name.to_owned(),
        1 => number(random).to_string(),
        2 => format!("{name}['{}']", word(random)),
        3 => format!("{name}({})", expression(random, depth - 1)),
        _ => {
            let operator = operators[random.below(operators.len())];
            format!("{} {operator} {}", expression(random, depth - 1), expression(random, depth - 1))
        }
    }
}

fn page(random: &mut Random, depth: usize) -> String {
    let tag = random.pick(&["p", "div", "td", "span", "li", "h3", "em", "strong", "center", "section", "a", "button"]);
    let attribute = match random.below(8) {
        0 => format!(" class='{}'", word(random)),
        1 => format!(" style=\"margin:0;color:#{:03x}\"", random.below(4096)),
        2 => format!(" id=\"{}\" data-{}=\"{}\"", word(random), word(random), number(random)),
        3 => format!(" title=\"{}'s\"", word(random)),
        4 => format!(" href=\"https://example.net/{}?a=1&amp;b={}\"", word(random), number(random)),
        _ => String::new(),
    };
    let inner: Vec<String> =
        (0..=random.below(2)).map(|_| if depth == 0 { phrase(random) } else { page(random, depth - 1) }).collect();
    let end = random.pick(&["", "", "<br/>", "<!-- end -->", "&nbsp;", "<hr>", "<img src=\"cid:1\" alt=''>"]);
    format!("<{tag}{attribute}>{}</{tag}>{end}", inner.join(" "))
}

fn template(random: &mut Random) -> String {
    let (a, b, n) = (word(random), word(random), number(random));
    let value = expression(random, 0);
    match random.below(9) {
        0 => format!("{{{{ {a}.{b} }}}}"),
        1 => format!("{{{{ {a} | {b} }}}} {{{{ {b}.{a}[{n}] }}}}"),
        2 => format!("{{% for {a} in {b} %}}{{{{ {a} }}}}{{% endfor %}}"),
        3 => format!("${{{a}}} ${{{a}.{b}}} #{{{b}}}"),
        4 => format!("<%= {a}.{b} %> <% if {value} %>{b}<% end %>"),
        5 => format!("{{{{#if {a}}}}}{}{{{{/if}}}}", phrase(random)),
        6 => format!("Dear {{{a}}}, [{b}] %%{a}%% *|{}|*", b.to_uppercase()),
        7 => format!("${{{}:-{n}}} ${{{}}}", a.to_uppercase(), b.to_uppercase()),
        _ => format!("{{{{ {a} ? '{b}' : {n} }}}}"),
    }
}

fn formula(random: &mut Random) -> String {
    let (a, b, n) = (word(random), word(random), number(random));
    match random.below(12) {
        0 => format!("=IF(A{n}>B{n};\"{a}\";'{b}'!C1)"),
        1 => format!("=VLOOKUP(D{n},'{a} {n}'!$A$1:$F$99,2,FALSE)"),
        2 => format!("$\\frac{{{n}}}{{x}} \\leq \\sum_{{i=1}}^{{{n}}} a_i$"),
        3 => format!("/^({a}|{b})[\\w.-]+\\.(?:{b})$/i"),
        4 => format!("f(x) = |x - {n}| + {{x : x < {n}}}"),
        5 => format!("(&(ou={a})(|(cn={b}*)(uid={n})))"),
        6 => format!("//{a}[@{b}='{n}']/text()"),
        7 => format!(".{a}[] | select(.{b} == \"{n}\") | .{a}"),
        8 => format!("{a} > {b} ~ .{a}:not(.{b})::after {{ content: '\\201C'; }}"),
        9 => format!("query {{ {a}(id: \"{n}\") {{ {b} {{ id }} }} }}"),
        10 => format!("{{\"{a}\": {{\"$gte\": {n}}}, \"{b}\": [\"{a}\", null]}}"),
        _ => format!("{a}:({b} OR \"{a} {b}\") AND NOT {b}:[{n} TO *]"),
    }
}

const PROGRAMS: &[&str] = &[
    "ls",
    "cat",
    "echo",
    "grep",
    "awk '{print $1}'",
    "sort",
    "head",
    "docker",
    "podman run",
    "git commit -m",
    "git log",
    "npm run",
    "kubectl get",
    "ssh",
    "scp",
    "rsync",
    "find .",
    "xargs",
    "tar",
    "cp",
    "mv",
    "rm",
    "mkdir",
    "chmod +x",
    "chown",
    "systemctl status",
    "journalctl",
    "python3",
    "node",
    "java -jar",
    "ruby",
    "perl -ne",
    "sed -e",
    "curl",
    "wget",
    "ping",
    "dig",
    "openssl",
    "env",
    "sudo",
    "make",
    "cargo run",
    "go test",
    "terraform apply",
    "ansible-playbook",
    "psql -c",
    "redis-cli",
    "tee",
    "wc -l",
    "date",
    "whoami",
    "id",
    "uptime",
    "ps",
    "kill",
    "sleep",
    "cd",
    "export",
    "source",
    "./gradlew",
    "php artisan",
    "dotnet",
    "az vm",
    "aws s3",
    "gcloud",
    "apt install",
    "yum",
    "brew",
    "vim",
    "type",
    "dir",
];

const WORDS: &[&str] = &[
    "patient", "ward", "policy", "claim", "premium", "pupil", "teacher", "grade", "lesson", "bed", "nurse", "dose",
    "shift", "course", "room", "visit", "agent", "branch", "broker", "driver", "vehicle", "garage", "report", "letter",
    "folder", "printer", "screen", "member", "season", "team", "score", "field", "harvest", "seed", "tractor", "silo",
    "user", "session", "account", "status", "value", "image", "label", "index",
];

const PROSE: &[&str] = &[
    "the",
    "a",
    "we",
    "they",
    "it's",
    "don't",
    "can't",
    "and",
    "or",
    "from",
    "where",
    "into",
    "with",
    "for",
    "of",
    "is",
    "was",
    "not",
    "like",
    "select",
    "update",
    "order",
    "by",
    "table",
    "group",
    "union",
    "drop",
    "file",
    "please",
    "when",
    "then",
    "script",
    "alert",
    "on",
    "click",
    "button",
    "page",
    "ward",
    "nurse",
    "claim",
    "policy",
    "letter",
    "yesterday",
    "again",
    "(twice)",
    "--",
    "&",
    "all",
    "having",
    "print",
    "sleep",
    "system",
    "users'",
    "\"new\"",
    "'old'",
    "50%",
    "e.g.",
    "a/b",
    "<5",
    ">3",
    "key;",
    "cat",
    "who",
    "more",
    "less",
    "find",
    "sort",
    "tail",
    "exec",
];
