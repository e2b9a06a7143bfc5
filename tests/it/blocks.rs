//! Files read in blocks by several threads give the same run, to the bit, as record by record. [I/O]

use std::fs;
use std::io::Read as _;

use loadgate::artifact::Head;
use loadgate::format::blocks::Blocks;
use loadgate::format::{Detected, FORMATS, Format, Source, by_id, detect};
use loadgate::run::recorder::Recorder;
use proptest::prelude::*;
use proptest::sample::select;

use crate::files::{below, fixtures};

/// The run as JSON, or why there is none. Of lines only the fast way knows the true number where a line ends with CR LF or
/// nothing is in it.
fn read(format: &Format, text: &[u8], blocks: Option<Blocks>) -> String {
    let mut reader = text;
    let mut recorder = Recorder::new();
    let parsed = (format.parse)(&mut Source { name: "api.csv", reader: &mut reader, blocks }, &mut recorder);
    // Not to hide a difference behind too many bad rows.
    recorder.good_rows(1_000_000);
    let mut run = recorder.finish().unwrap();
    let odd = format.id != "jmeter-xml"
        && (text.contains(&b'\r') || text.starts_with(b"\n") || text.windows(2).any(|two| two == b"\n\n"));
    for notice in run.notices.iter_mut().filter(|_| odd) {
        notice.line = None;
    }
    let error = parsed.map_err(|error| if odd { error.message } else { error.to_string() });
    format!("{error:?}\n{}", serde_json::to_string_pretty(&run).unwrap())
}

fn check(format: &Format, text: &[u8], sizes: &[usize]) {
    let expected = read(format, text, None);
    for size in sizes {
        for threads in [1, 3] {
            let found = read(format, text, Some(Blocks { size: *size, threads }));
            assert!(
                found == expected,
                "{} in blocks of {size} by {threads} threads:\n{found}\nrecord by record:\n{expected}\nof\n{}",
                format.id,
                String::from_utf8_lossy(text),
            );
        }
    }
}

#[test]
fn every_fixture_is_read_alike_in_blocks_of_any_size() {
    let mut read = 0;
    for path in below(&fixtures()) {
        let mut text = fs::read(&path).unwrap();
        if text.starts_with(&[0x1f, 0x8b]) {
            let bytes = std::mem::take(&mut text);
            flate2::bufread::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut text).unwrap();
        }
        let start = text.iter().take(Head::LEN).copied().collect();
        if let Detected::One(format) = detect(&Head::new("api.csv", start, text.len() <= Head::LEN)) {
            // A part is enough of the larger ones, and the small sizes only for the start.
            text.truncate(200_000);
            check(format, &text, &[50_000]);
            text.truncate(8_000);
            check(format, &text, &[64, 1_000]);
            read += 1;
        }
    }
    assert!(read > 50);
}

#[test]
fn more_names_than_are_kept_end_in_the_same_bucket() {
    let row = |n: u64| format!("1795425276454104707,200,{n},0,0,,,mixed,{n},GET,http://a/{},\n", n % 11_000);
    let text: String = (0..23_000).map(row).collect();
    check(by_id("vegeta-csv").unwrap(), text.as_bytes(), &[300_000]);
}

#[test]
fn of_more_kinds_of_failure_than_are_kept_the_same_ones_are() {
    let row = |n: u64| {
        let (label, code) = (n % 2, 400 + n % 131);
        format!("1767225600123,12,{label},{code},no,Users 1-1,text,false,\"expected \"\"{n}\"\"\",1234,120,5,5\n")
    };
    let text: String = (0..3_000).map(row).collect();
    let header = "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,failureMessage,bytes,\
                  sentBytes,grpThreads,allThreads\n";
    check(by_id("jmeter-csv").unwrap(), format!("{header}{text}").as_bytes(), &[64, 1_000, 300_000]);
}

/// Many rows that are alike, with one that is not at each place among them, and bytes that are no text.
#[test]
fn one_odd_row_among_many_changes_nothing_of_the_others() {
    let jmeter = (
        "jmeter-csv",
        "timeStamp,elapsed,label,responseCode,responseMessage,threadName,dataType,success,allThreads\n",
        "1767225600123,12,log in,200,OK,Users 1-1,text,true,5",
    );
    let k6 = (
        "k6-csv",
        "metric_name,timestamp,metric_value,method,name,status,error\n",
        "http_req_duration,1767225600,9.250000,GET,/a,200,",
    );
    let hey = (
        "hey-csv",
        "response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n",
        "0.0392,0.0001,0.0000,0.0000,0.0087,0.0002,200,0.0100",
    );
    let vegeta = ("vegeta-csv", "", "1795425276454104707,200,14302966,0,30,,,mixed,0,GET,http://a/,x");
    for (id, header, row) in [jmeter, k6, hey, vegeta] {
        let cells: Vec<&str> = row.split(',').collect();
        let with = |at: usize, cell: &str| {
            let mut cells = cells.clone();
            cells[at] = cell;
            cells.join(",").into_bytes()
        };
        let texts =
            [String::new(), "\"open".to_owned(), cells[..3].join(","), format!("{row}\r{row}"), format!("{row}\r")];
        let mut odd: Vec<Vec<u8>> = texts.map(String::into_bytes).into();
        for at in 0..cells.len() {
            odd.extend(
                [
                    "",
                    "7",
                    "123456789012",
                    "123456789012345",
                    "0012345678901",
                    "0999999999999",
                    "\"a,b\"",
                    "\"two\nlines\"",
                    "Number of samples in transaction : 2",
                    "No Content",
                    "\"say \"\"hi\"\"\"\r",
                ]
                .map(|cell| with(at, cell)),
            );
            let mut bytes = with(at, "bad!");
            bytes.iter_mut().filter(|byte| **byte == b'!').for_each(|byte| *byte = 0xff);
            odd.push(bytes);
        }
        for (place, odd) in (0..70).cycle().zip(&odd) {
            let mut text = header.as_bytes().to_vec();
            for at in 0..100 {
                text.extend_from_slice(if at == place { odd } else { row.as_bytes() });
                text.push(b'\n');
            }
            check(by_id(id).unwrap(), &text, &[1_000, 1 << 20]);
        }
    }
}

/// Long cells, wide rows, and quotes that are far apart.
#[test]
fn wide_rows_and_seldom_quotes_are_read_alike() {
    let wide = "more,".repeat(40);
    let header = format!("timeStamp,elapsed,label,success,{wide}allThreads\n");
    let row = |n: usize| {
        let long = "x".repeat(if n % 500 == 7 { 70_000 } else { n % 3 });
        let label = match n % 333 {
            0 => "\"a, b\"".to_owned(),
            1 => "a\r".to_owned(),
            2 => long.clone(),
            _ => "log in".to_owned(),
        };
        format!("17672256{:05},{},{label},true,{}{long},{}\n", n, n % 97, ",".repeat(39), n % 5)
    };
    let text: String = (0..1_500).map(row).collect();
    let narrow = "timeStamp,elapsed,label,success\n";
    let first = |row: String| row.split(',').take(4).collect::<Vec<_>>().join(",") + "\n";
    let fewer: String = (0..1_500).filter(|n| n % 333 != 0).map(row).map(first).collect();
    for text in [format!("{header}{text}"), format!("{narrow}{fewer}")] {
        check(by_id("jmeter-csv").unwrap(), text.as_bytes(), &[10_000, 300_000, 1 << 20]);
    }
}

/// More quotes and CR than are noted of a block, and rows of each kind behind them.
#[test]
fn of_more_quotes_than_are_noted_none_is_overlooked() {
    let jmeter = [
        "timeStamp,elapsed,label,responseMessage,success,failureMessage,allThreads\n",
        "1767225600123,12,\"log \"\"in\"\"\",OK,true,\"a, b\",5\n",
        "1767225600123,12,log in,OK,true,,5\n",
        "1767225600124,13,log out,OK,true,a\"b,5\r\n",
    ];
    let vegeta = [
        "1795425276454104707,200,14302966,0,30,,,mixed,0,GET,http://a/,x\n",
        "1795425276454104707,200,14302966,0,30,,\"b\"\"o\"\"dy\",mixed,0,GET,http://a/,x\r\n",
        "1795425276454104708,200,14302966,0,30,,body,mixed,0,GET,http://a/,x\n",
        "1795425276454104709,200,14302967,0,30,,\"body, 1\",mixed,0,GET,http://b/,x\n",
    ];
    for (id, [first, quoted, clean, last]) in [("jmeter-csv", jmeter), ("vegeta-csv", vegeta)] {
        let text = [first, &quoted.repeat(5_000), &clean.repeat(100), last, &clean.repeat(50), quoted].concat();
        check(by_id(id).unwrap(), text.as_bytes(), &[100_000, 1 << 20]);
    }
}

#[test]
fn a_delimiter_that_ends_lines_is_none() {
    check(by_id("jmeter-csv").unwrap(), b"elapsed\rlabel\rsuccess\n1\ra\rtrue\n", &[64, 1_000]);
}

/// Cells that are plain, and once in so many cells that are not.
fn cell(plain: &'static [&'static str], plains: u32) -> impl Strategy<Value = String> {
    const ODD: &[&str] = &[
        "",
        " ",
        "x",
        "-1",
        "1e3",
        "12.5",
        "007",
        "true",
        "\"12\"",
        "\"a,b\"",
        "\"two\nlines\"",
        "\"say \"\"hi\"\"\"",
        "\"\"",
        "a\"b",
        "\"open",
        "\u{e9}t\u{e9}",
        "99999999999999999999",
        "\"x\"y",
        "a\rb",
        "0.1234567891",
        " 12 ",
    ];
    prop_oneof![plains => select(plain).prop_map(str::to_owned), 1 => select(ODD).prop_map(str::to_owned)]
}

/// Rows of such cells, some short, long, blank or with another line end; or many like rows with seldom an odd one.
fn rows(columns: &'static [&'static [&'static str]], delimiter: &'static str) -> impl Strategy<Value = String> {
    let rows = |plains: u32, odd: usize, kinds: usize| {
        let cells =
            columns.iter().map(|plain| cell(&plain[..plain.len().min(kinds)], plains).boxed()).collect::<Vec<_>>();
        let ends = prop_oneof![plains => Just("\n"), 1 => select(&["\n\n", "\r\n", "\r", "\n"][..])];
        (cells, 0..odd, ends).prop_map(move |(mut cells, odd, end)| {
            match odd {
                0 => cells.truncate(3),
                1 => cells.push("more".to_owned()),
                2 => cells.clear(),
                _ => {}
            }
            cells.join(delimiter) + end
        })
    };
    let many = |kinds| prop::collection::vec(rows(1_000, 4_000, kinds), 0..150);
    prop_oneof![2 => prop::collection::vec(rows(12, 40, usize::MAX), 0..60), 1 => many(usize::MAX), 1 => many(1)]
        .prop_map(|rows| rows.concat())
}

/// The end of the file anywhere, and the lines of another system.
fn shapes(text: &str, cut: usize) -> [Vec<u8>; 3] {
    let mut cut_off = text.as_bytes().to_vec();
    cut_off.truncate(text.len().saturating_sub(cut));
    [text.as_bytes().to_vec(), cut_off, text.replace('\n', "\r\n").into_bytes()]
}

const SECONDS: &[&str] = &["0.0091", "0.25", "1", "12.345678901", "0.000000001"];
const STATUS: &[&str] = &["200", "200", "201", "404", "500"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 16 } else { 2_000 }))]

    #[test]
    fn hey(rows in rows(&[SECONDS, &["0.1"], &["0"], &["0"], &["0"], &["0"], STATUS, SECONDS], ","), cut in 0_usize..60, size in 64_usize..3_000) {
        let text = format!("response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset\n{rows}");
        for text in shapes(&text, cut) {
            check(by_id("hey-csv").unwrap(), &text, &[size, 1 << 20]);
        }
    }

    #[test]
    fn oha(rows in rows(&[SECONDS, &["0.1"], &["0"], &["0"], SECONDS, &["30"], STATUS], ","), cut in 0_usize..60, size in 64_usize..3_000) {
        let text = format!("request-start,DNS,DNS+dialup,Response-delay,request-duration,bytes,status\n{rows}");
        for text in shapes(&text, cut) {
            check(by_id("oha-csv").unwrap(), &text, &[size, 1 << 20]);
        }
    }

    #[test]
    fn vegeta(
        rows in rows(
            &[
                &["1795425276454104707", "1795425276545883954"],
                STATUS,
                &["14302966", "23751026"],
                &["0"],
                &["30"],
                &["", "", "", "no such host", "500", " "],
                &["", "Ym9keQ=="],
                &["mixed"],
                &["0", "1"],
                &["GET", "POST", " PUT", ""],
                &["http://127.0.0.1:8080/query", "http://127.0.0.1:8080/tools", ""],
                &["Q29udGVudC1MZW5ndGg6IDMwDQ=="],
            ],
            ",",
        ),
        cut in 0_usize..60,
        size in 64_usize..3_000,
    ) {
        for text in shapes(&rows, cut) {
            check(by_id("vegeta-csv").unwrap(), &text, &[size, 1 << 20]);
        }
    }

    #[test]
    fn jmeter(
        rows in rows(
            &[
                &["1767225600123", "1767225601456", "1767225601", "2026-01-01 00:00:00"],
                &["12", "250", "0"],
                &["login", "log out", "/a/b", "login-0"],
                &["200", "500", "Non HTTP response code: java.net.SocketTimeoutException"],
                &["OK", "OK", "Number of samples in transaction : 2, number of failing samples : 0"],
                &["Users 1-1"],
                &["text", ""],
                &["true", "true", "true", "false", "TRUE"],
                &["", "\"Test failed: text\nexpected\"", "\"expected \"\"1\"\", found 2\""],
                &["1234"],
                &["120"],
                &["5", "7"],
                &["5", "9", "null"],
            ],
            ",",
        ),
        cut in 0_usize..60,
        size in 64_usize..3_000,
        order in Just((0..13_usize).collect::<Vec<_>>()).prop_shuffle(),
        shuffled: bool,
    ) {
        const HEADER: [&str; 13] = [
            "timeStamp", "elapsed", "label", "responseCode", "responseMessage", "threadName", "dataType", "success",
            "failureMessage", "bytes", "sentBytes", "grpThreads", "allThreads",
        ];
        let first = "1767225600123,12,login,200,OK,Users 1-1,text,true,,1234,120,5,5\n";
        // In another order the rows are mostly wrong, which has to be seen alike too.
        let header = order.iter().map(|at| HEADER[*at]).collect::<Vec<_>>();
        let header = if shuffled { header } else { HEADER.to_vec() };
        let text = format!("{}\n{first}{rows}", header.join(","));
        for text in shapes(&text, cut) {
            check(by_id("jmeter-csv").unwrap(), &text, &[size, 1 << 20]);
        }
        for text in shapes(&format!("{first}{rows}"), cut) {
            check(by_id("jmeter-csv").unwrap(), &text, &[size]);
        }
    }

    #[test]
    fn k6_csv(
        rows in rows(
            &[
                &["http_req_duration", "http_req_duration", "http_req_failed", "checks", "http_reqs", "vus", "mine"],
                &["1730305221", "1730305221000", "1730305221000000", "2024-10-30T16:20:21Z"],
                &["12.345678", "0.000000", "1.000000", "3"],
                &["", "is 200"],
                &["", "request timeout"],
                &["GET", "POST", ""],
                &["/a", "/b", ""],
                &["200", "500", "0"],
                &["https://a/b"],
            ],
            ",",
        ),
        cut in 0_usize..60,
        size in 64_usize..3_000,
    ) {
        let text = format!("metric_name,timestamp,metric_value,check,error,method,name,status,url\n{rows}");
        for text in shapes(&text, cut) {
            check(by_id("k6-csv").unwrap(), &text, &[size, 1 << 20]);
        }
    }

    #[test]
    fn gatling(
        rows in rows(
            &[
                &["REQUEST", "REQUEST", "REQUEST", "REQUEST", "USER", "GROUP", "RUN", "7"],
                &["", "", "3", "Checkout", "Checkout,Pay"],
                &["", "a", "GET /b", "REQUEST"],
                &["1767225659844", "1767225659999", "START", "12"],
                &["1767225660002", "1767225659999", "1767225659900", "END"],
                &["OK", "OK", "OK", "KO", "1767225660002"],
                &[" ", "", "status.find.is(200), but actually found 500", "OK"],
                &["", " ", "1767225660002"],
            ],
            "\t",
        ),
        width in 3_usize..9,
        cut in 0_usize..60,
        size in 64_usize..3_000,
    ) {
        let part = |line: &str| line.split('\t').take(width).collect::<Vec<_>>().join("\t");
        let rows: String = rows.split('\n').map(|line| part(line) + "\n").collect();
        for text in shapes(&format!("RUN\tshop.Shop\tshop\t1767225659000\t \t3.9.5\n{rows}"), cut) {
            check(by_id("gatling-log").unwrap(), &text, &[size, 1 << 20]);
        }
    }

    #[test]
    fn k6_ndjson(lines in prop::collection::vec(k6_line(), 0..80), cut in 0_usize..60, size in 64_usize..3_000) {
        for text in shapes(&lines.concat(), cut) {
            check(by_id("k6-json").unwrap(), &text, &[size, 1 << 20]);
        }
    }
}

proptest! {
    // These are small.
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 100 } else { 2_000 }))]

    #[test]
    fn jmeter_xml(
        samples in prop::collection::vec(xml_sample(), 0..40),
        start in select(&["", "", "\u{feff}", "<?xml version=\"1.0\"?>\r\n"][..]),
        odd in prop_oneof![3 => Just(""), 1 => select(&ODD_XML[..])],
        around in prop_oneof![2 => Just(0), 1 => 1_usize..4],
        bad in prop::option::weighted(0.2, 0_usize..4_000),
        cut in 0_usize..80,
        size in 64_usize..3_000,
    ) {
        let (before, behind) = samples.split_at(samples.len() / 2);
        let (before, behind) = (before.concat(), behind.concat());
        // Samples inside samples, with something else between them.
        let behind = (0..around).fold(behind, |inside, depth| {
            let message = if depth == 0 { "Number of samples in transaction : 2" } else { "OK" };
            format!("<sample t=\"9\" ts=\"1767225600123\" s=\"true\" lb=\"around\" rm=\"{message}\">\n<a>b</a>\n{inside}{odd}</sample>\n{inside}")
        });
        let text = format!("{start}<testResults version=\"1.2\">\n{before}{odd}{behind}\n</testResults>\n");
        for mut text in shapes(&text, cut) {
            // A byte that is no text.
            if let Some(byte) = bad.and_then(|at| text.get_mut(at)).filter(|byte| byte.is_ascii_alphanumeric()) {
                *byte = 0xff;
            }
            check(by_id("jmeter-xml").unwrap(), &text, &[size, 1 << 20]);
        }
    }
}

/// What may stand between two samples.
const ODD_XML: [&str; 14] = [
    "<!-- - -->",
    "<?a b?>",
    "text",
    "&lt;",
    "<other/>",
    "<other>a</other>",
    "</httpSample>",
    "<httpSample",
    "]]>",
    "<![CDATA[<httpSample/>]]>",
    "\r\n\r\n",
    "</testResults>\n<testResults version=\"1.2\">",
    "</testResults><sample rm=\"Number of samples in transaction : 1\" t=\"5\" ts=\"1767225600123\" s=\"true\" lb=\"all\">\
     <sample t=\"3\" ts=\"1767225600123\" s=\"true\" lb=\"inside\"/></sample><testResults>",
    "</testResults></testResults>",
];

/// Samples as JMeter writes them, and samples that are odd in some way.
fn xml_sample() -> impl Strategy<Value = String> {
    const PLAIN: [&str; 7] = ["t=39", "ts=1767225600123", "s=true", "lb=log in", "rc=200", "rm=OK", "na=7"];
    const ODD: [&str; 26] = [
        "t=39.5",
        "t=4294967296",
        "t=-1",
        "t=",
        "time=7",
        "ts=1767225601",
        "ts=2026/01/01 00:00:00",
        "ts=",
        "s=false",
        "s=maybe",
        "lb=log in-1",
        "lb=a&amp;b",
        "lb=a\tb",
        "lb=ä\n",
        "lb=>",
        "lb='",
        "lb=<",
        "rc=500",
        "rm=Number of samples in transaction : 2, number of failing samples : 0",
        "sc=3",
        "sc=x",
        "ec=2",
        "na=",
        "a.b=x",
        "=a=",
        "",
    ];
    const INSIDE: [&str; 18] = [
        "\n  <java.net.URL>https://shop.example.test/a?b=1</java.net.URL>\n",
        "",
        "\n",
        "text",
        "<responseData class=\"java.lang.String\">a\nb</responseData>",
        "<responseData>a &lt; b</responseData>",
        "<responseData class=\"a>b\">c</responseData>",
        "<a><b/></a>",
        "<a/>",
        "<!-- </httpSample> -->",
        "<![CDATA[</httpSample>]]>",
        "<sample t=\"3\" ts=\"1767225600123\" s=\"true\" lb=\"inside\"/>",
        "<sample\n t=\"3\" ts=\"1767225600123\" s=\"false\" lb=\"inside\">x</sample\n>",
        "<assertionResult><failure>true</failure></assertionResult>",
        "<a>\u{a0}ä</a >",
        "<a\nb>x</a\nb>",
        "<a'>'>x</a'>",
        "<a>\r\n</a>",
    ];
    let name =
        prop_oneof![12 => Just("httpSample"), 4 => Just("sample"), 1 => Just("sampleResult"), 1 => Just("httpSamples")];
    let odd = prop_oneof![2 => Just(vec![]), 1 => prop::collection::vec((select(&ODD[..]), 0_usize..8), 1..3)];
    let space = prop_oneof![20 => Just(" "), 1 => Just("  "), 1 => Just("\n")];
    let quote = prop_oneof![20 => Just("\""), 1 => Just("'")];
    let inside = prop_oneof![1 => Just(None), 4 => Just(Some(INSIDE[0])), 2 => select(&INSIDE[..]).prop_map(Some)];
    (name, odd, space, quote, inside, select(&["\n", "\n", "", "\n\n  "][..])).prop_map(
        |(name, odd, space, quote, inside, end)| {
            let mut attributes = PLAIN.to_vec();
            for (attribute, at) in odd {
                // In place of one, or beside it.
                let at = at.min(attributes.len());
                attributes.splice(at..attributes.len().min(at + attribute.len() % 2), [attribute]);
            }
            let mut sample = format!("<{name}");
            for (key, value) in attributes.iter().filter_map(|attribute| attribute.split_once('=')) {
                sample.extend([space, key, "=", quote, value, quote]);
            }
            match inside {
                Some(inside) => sample.extend([">", inside, "</", name, ">", end]),
                None => sample.extend(["/>", end]),
            }
            sample
        },
    )
}

/// Lines as k6 writes them, and lines that are odd in some way.
fn k6_line() -> impl Strategy<Value = String> {
    let metric = select(
        &[
            "http_req_duration",
            "http_req_duration",
            "http_req_failed",
            "checks",
            "http_reqs",
            "http_req_waiting",
            "vus",
            "mine",
            "iterations",
            "grpc_req_duration",
        ][..],
    );
    let time = select(
        &[
            "2026-11-23T09:04:45.348662556Z",
            "2026-11-23T09:04:46Z",
            "2026-11-23T09:05:01.5+01:00",
            "2026-11-23T09:05:60Z",
            "2026-11-23T09:04:4Z",
            "yesterday",
        ][..],
    );
    let value = select(
        &["0", "1", "26.50563", "0.000001", "12", "007", "1e-7", "-1", "1234567890123.5", "null", "0.12345678"][..],
    );
    let tags = select(
        &[
            r#"{"expected_response":"true","group":"","method":"POST","name":"/a","proto":"HTTP/1.1","status":"200","url":"/a"}"#,
            r#"{"expected_response":"true","group":"","method":"GET","name":"/b","proto":"HTTP/1.1","status":"200","url":"/a"}"#,
            r#"{"method":"GET","name":"\u00e9","status":"200"}"#,
            r#"{"method":"GET","name":"/é"}"#,
            r#"{"error":"Get \"http://a\": EOF","method":"GET","name":"/b","status":"0"}"#,
            r#"{"method":"GET","name":"/b","name":"/c"}"#,
            r#"{"method":"GET","mine":"x","name":"/b","status":"500"}"#,
            r#"{"method":"GET","name":{"a":"b"}}"#,
            r#"{"url":"/only","method":"PUT"}"#,
            r#"{"check":"is 200","group":""}"#,
            r#"{"check":"is 200",}"#,
            "{}",
            "null",
        ][..],
    );
    let shape = prop_oneof![
        20 => Just(r#"{"metric":"METRIC","type":"Point","data":{"time":"TIME","value":VALUE,"tags":TAGS}}"#),
        1 => Just(r#"{"type":"Point","data":{"time":"TIME","value":VALUE,"tags":TAGS},"metric":"METRIC"}"#),
        1 => Just(r#"{"metric":"METRIC","type":"Point","data":{"time":"TIME","value":VALUE,"tags":TAGS,"metadata":{"a":"b"}}}"#),
        1 => Just(r#"{"type":"Metric","data":{"name":"METRIC","type":"trend","contains":"time"},"metric":"METRIC"}"#),
        1 => Just(r#"{"metric":"METRIC","type":"Point","data":{"time":"TIME","value":VALUE,"tags":TAGS}"#),
        1 => Just(""),
        1 => Just("# no JSON"),
    ];
    let end = prop_oneof![15 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\n\n")];
    (shape, metric, time, value, tags, end).prop_map(|(shape, metric, time, value, tags, end)| {
        let line = shape.replace("METRIC", metric).replace("TIME", time).replace("VALUE", value).replace("TAGS", tags);
        line + end
    })
}

#[test]
fn the_formats_that_are_read_in_two_ways_are_known() {
    for id in ["gatling-log", "hey-csv", "jmeter-csv", "jmeter-xml", "k6-csv", "k6-json", "oha-csv", "vegeta-csv"] {
        assert!(FORMATS.iter().any(|format| format.id == id), "{id}");
    }
}

#[test]
fn a_short_last_row_without_a_header_was_cut_off() {
    let row = "1767225600123,12,login,200,OK,Users 1-1,text,true,,1234,120,5,5\n";
    for last in ["1767225600123,12,login\n", "1767225600123,12,login"] {
        check(by_id("jmeter-csv").unwrap(), format!("{row}{last}").as_bytes(), &[64, 1 << 20]);
    }
}
