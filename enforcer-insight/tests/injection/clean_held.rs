//! More texts that look like attacks: of [`OTHER`] the rules know, of [`HELD`] they were not tuned with. In: nothing. Out: grammars. Never
//! here: attacks.
use super::grammar::Grammar;

pub(crate) const OTHER: Grammar = &[
    (
        "other",
        &["«legal»", "«support»", "«recipe»", "«log»", "«config»", "«chat»", "«review»", "«yaml»", "«css»", "«cite»"],
    ),
    (
        "legal",
        &[
            "The parties' union or, as the case may be, their order; see § «d» and § «n».",
            "Art. «d» (1) a) and/or b): where the lessee's «noun» -- or part of it -- is «adj»",
            "\"Seller\" and \"Buyer\" (each a 'Party' and together the 'Parties')",
        ],
    ),
    (
        "support",
        &[
            "My order's status isn't updated; it says 'null' = 'null'. Select another?",
            "Error: \"«noun» not found\" when I click 'Update' & then 'Delete'",
            "I can't log in -- password reset doesn't work; tried 3 or 4 times!!",
            "Why does it say [object Object] or undefined in the «noun» field?",
            "Your script alert keeps popping up (on «n» pages): please drop it",
        ],
    ),
    (
        "recipe",
        &[
            "1/2 cup sugar; 3/4 cup butter & 2 eggs | bake at 180° for «n» min",
            "Cut the «noun»; sort the beans; touch of salt -- 'al dente'",
            "Salt & pepper or chili = tasty <3",
        ],
    ),
    (
        "log",
        &[
            "2026-11-0«d» 12:00:0«d» ERROR [main] «noun»: can't open '/tmp/«id»' (errno=«d»)",
            "127.0.0.1 - - [10/Nov/2026:12:00:00 +0000] \"GET /«noun»?id=«n» HTTP/1.1\" 200 «n»",
            "at com.example.«noun».run(Main.java:«n»)",
            "thread 'main' panicked at src/main.rs:«n»:«d»",
        ],
    ),
    (
        "config",
        &[
            "max_size=«n»;timeout=«d»s;mode='fast'",
            "<server><port>«n»</port></server>",
            "PATH=/usr/bin:/bin:$HOME/bin",
            "host = \"db-«d»\" # primary",
            "--flag=value -x «n» --verbose",
            "[section]\nkey = 'value'",
        ],
    ),
    (
        "chat",
        &[
            "lol >:( or :) -- whatever; brb & ttyl",
            "u r \"so\" funny =) ;)",
            "(╯°□°)╯︵ ┻━┻ that's it",
            "¯\\_(ツ)_/¯ it's null",
            "*sleep(s)* zzz <«adj»> «noun» </«adj»>",
            "1+1=2 & 2+2=4, isn't it?",
        ],
    ),
    (
        "review",
        &[
            "5* \"great\" «noun» -- but the «noun»'s «adj»; I'd select it again",
            "Not as in the picture (it's «adj»), 3/5 or less",
            "Size 10' x 12' & «n»\" deep",
        ],
    ),
    (
        "yaml",
        &[
            "a: 'x'\nb:\n  - \"y\"\n  - z # «noun»",
            "on: [push, pull_request]\nrun: |\n  cargo build",
            "image: x/y:1.0\ncommand: [\"sh\", \"-c\"]",
        ],
    ),
    (
        "css",
        &[
            "a:hover { color: #fff; background: url(/img/«noun».png) }",
            "@media (max-width: «n»px) { .a > .b { margin: 0 } }",
        ],
    ),
    (
        "cite",
        &[
            "Smith et al. ('«noun»', «n»), pp. 1--5; cf. \"«noun»\" and 'ibid.'",
            "O'Reilly & Sons, '«adj» «noun»': 2nd ed.; or later",
            "«last» v. «last», No. «n»-«n» (D.C. Cir. 2026) -- reversed",
        ],
    ),
];

pub(crate) const HELD: Grammar = &[
    (
        "held",
        &[
            "«poem»",
            "«music»",
            "«genealogy»",
            "«lecture»",
            "«query»",
            "«source»",
            "«terminal»",
            "«page»",
            "«address»",
            "«medical»",
            "«game»",
            "«korean»",
        ],
    ),
    (
        "poem",
        &[
            "O'er the hills -- and «verb» the «noun» -- where 'twas «adj»;\nor so they say",
            "Shall I compare thee to a «noun»? Thou art more «adj» and more «adj»:",
            "'Tis «adj» to «verb»; 'tis «adj» to «verb» and not to be",
        ],
    ),
    (
        "music",
        &[
            "«first» & the «noun»s - '«verb» Me' (feat. «last») [12\" Mix]",
            "7\" EP; 45 rpm / 33 rpm || mono",
            "Guns N' «noun»s; Salt-N-Pepa & «first»",
            "A-side: \"«verb» It\" b/w \"«adj» «noun»\"",
        ],
    ),
    (
        "genealogy",
        &[
            "«first» «last» (*12.3.1901; +4.5.1977), m. «first» D'Arcy; issue: 3 or 4",
            "b. 1901 and d. 1977 -- or 1978?",
            "née O'Hara, dau. of «first» and «first»; see 'Union of «last»s'",
        ],
    ),
    (
        "lecture",
        &[
            "Let f: A -> B; if f(a) = f(b) and a != b, then f isn't injective.",
            "For all x in (0,1): x*x < x; e.g. 0.5*0.5 = 0.25",
            "H(X|Y) <= H(X) && I(X;Y) >= 0",
            "A = {x | x > 0 and x < 1}, B = A'",
            "In SQL, 'WHERE' comes before 'GROUP BY'; in our «noun» too",
            "Use UNION to join two SELECTs; it's slower than UNION ALL -- why?",
            "if (a = b) then b = a; transitivity: a=b and b=c or so",
        ],
    ),
    (
        "query",
        &[
            "(«noun» OR «noun») AND NOT \"«adj» «noun»\"",
            "title:'«noun»' -author:\"O'Neil\" year>=2019",
            "\"«noun»\" + \"«noun»\" - sale",
            "status:open label:\"good first issue\" sort:updated-desc",
            "price:[10 TO 20] AND brand:(a OR b)",
            "«noun»* OR «noun»~2",
        ],
    ),
    (
        "source",
        &[
            "<Foo bar={baz} onChange={() => setX(1)} />",
            "$user = $row['name'] ?? 'x';",
            "print(f\"{a!r:>10} {b}\")",
            "echo \"Hello, $name!\";",
            "if [ -f a.txt ]; then rm a.txt; fi",
            "val m = Map(\"a\" -> 1, \"b\" -> 2)",
            "return a == null || b == null ? -1 : a.compareTo(b);",
            "UPDATE statements need a WHERE; mine's: UPDATE t SET a = 1",
            "x |> f(1) |> g",
            "SELECT id, name FROM items ORDER BY name LIMIT 10",
            "\\frac{a}{b} + \\sum_{i=1}^{n} x_i",
            "s/foo/bar/g; s/a|b/c/",
            "^(\\d{3})-(\\d{4})$",
            "@media print { body { display: none; } }",
            "docker run -it --rm -v $(pwd):/app image sh",
        ],
    ),
    (
        "terminal",
        &[
            "$ cargo build --release\n   Compiling foo v0.1.0",
            "error: couldn't read `src/main.rs`: No such file or directory (os error 2)",
            "ps: I'd use `top`; it's nicer than `ps`",
            "drwxr-xr-x 2 root root 4096 Nov 22 09:00 ..",
            "E: Unable to locate package «noun»; try apt update",
            "~/src$ ls | wc -l gives 12",
        ],
    ),
    (
        "page",
        &[
            "<h1>«noun»</h1><p class=\"lead\">It's «adj» & \"«adj»\".</p>",
            "<blockquote>«noun»</blockquote><!-- comment -->",
            "<a name='top'></a><a href='#top'>up</a>",
            "<input type=\"text\" name=\"q\" value=\"it's\">",
            "<svg width=\"10\" height=\"10\"><circle r=\"5\"/></svg>",
            "<link rel=\"stylesheet\" href=\"/a.css\"><title>x</title>",
            "<iframe width=\"560\" height=\"315\" src=\"https://www.youtube.com/embed/«id»\" title=\"x\" allowfullscreen></iframe>",
        ],
    ),
    (
        "address",
        &[
            "c/o «last», Apt. #4, «n» St. Mary's Rd. / Ste. 5",
            "P.O. Box «n»; attn: «first» O'Hara",
            "Flat 3/1, «n» King's Rd & Queen's Rd",
            "Kaiserstr. 5, Hinterhaus / 3. OG -- bei «last»",
        ],
    ),
    (
        "medical",
        &[
            "BP 120/80; temp < 38 & pulse > 60; pt. isn't «adj»",
            "2x500mg/d or 1x1g; if > 3 days -> see Dr. O'Neil",
            "Dx: s/p fx L' radius; r/o union vs. non-union",
        ],
    ),
    (
        "game",
        &[
            "lvl 5 && hp > 10 || mana = 0?",
            "/tell «first» it's -1 or +2",
            "drop table: «noun» (1/100), «noun» (1/5000)",
            "GG; wp -- '«first»' rekt \"«last»\"",
        ],
    ),
    (
        "korean",
        &[
            "안녕하세요; '주문' 취소 -- 언제 되나요?",
            "가격 < 10,000원 & 배송비 = 0원 또는 무료",
            "\"서울\" or '부산' 중 선택(select)하세요",
        ],
    ),
];
