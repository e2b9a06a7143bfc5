//! Secrets in artifacts: planted where each tool leaves them, and looked for in everything we print and write. [I/O]

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;

use loadgate::artifact::open::open;
use loadgate::artifact::{Artifact, Head};
use loadgate::format::{Detected, FORMATS, Format, Source, detect};
use loadgate::run::Run;
use loadgate::run::recorder::Recorder;
use serde_json::Value;

use crate::cli::Workspace;
use crate::files::{below, fixtures};

const SECRET: &str = "s3cr3tT0ken";

/// Artifacts with secrets where the tool in question really leaves them: headers, answers, scripts, data of the set-up,
/// queries of URLs in errors. `@` stands for the secret.
const PLANTED: [(&str, &str); 19] = [
    (
        "summary-export.json",
        r#"{"setup_data":{"token":"@"},"metrics":{"http_reqs":{"count":9,"rate":3},"http_req_duration":{"avg":3,"p(95)":9},"http_req_failed":{"passes":1,"fails":8,"value":0.1}},"root_group":{"name":"","path":"","groups":{},"checks":{"@":{"name":"@","path":"::@","passes":1,"fails":1}}}}"#,
    ),
    (
        "handle-summary.json",
        r#"{"setup_data":"@","options":{"tags":{"key":"@"},"summaryTrendStats":["avg"]},"state":{"testRunDurationMs":3000},"metrics":{"http_reqs":{"type":"counter","contains":"default","values":{"count":9,"rate":3}},"http_req_duration":{"type":"trend","contains":"time","values":{"avg":3}}}}"#,
    ),
    (
        "machine.json",
        r#"{"version":"1.0.0","config":{"duration":3,"script":"const token = '@';"},"metadata":{"k6_version":"2.2.0"},"results":{"checks":{"metrics":[]},"metrics":[{"name":"http_reqs","type":"counter","contains":"default","values":{"count":9}}]}}"#,
    ),
    (
        "points.json",
        "{\"metric\":\"http_req_duration\",\"type\":\"Point\",\"data\":{\"time\":\"2026-11-23T09:00:01Z\",\"value\":3,\"tags\":{\"name\":\"/a\",\"method\":\"GET\",\"url\":\"http://h/a?k=@\",\"authorization\":\"@\",\"status\":\"0\",\"error\":\"Get \\\"http://h/a?k=@\\\": EOF\"}}}\n\
         {\"metric\":\"http_req_failed\",\"type\":\"Point\",\"data\":{\"time\":\"2026-11-23T09:00:01Z\",\"value\":1,\"tags\":{\"name\":\"/a\",\"method\":\"GET\",\"status\":\"0\",\"error\":\"Get \\\"http://h/a?k=@\\\": EOF\"}}}\n",
    ),
    (
        "points.csv",
        "metric_name,timestamp,metric_value,error,method,name,status,url,extra_tags,metadata\n\
         http_req_duration,1795424685,3,Get http://h/a?k=@,GET,/a,0,http://h/a?k=@,token=@,\n\
         http_req_failed,1795424685,1,Get http://h/a?k=@,GET,/a,0,http://h/a?k=@,token=@,\n",
    ),
    (
        "console.txt",
        "INFO[0001] token @ source=console\n     http_req_duration..: avg=3ms p(95)=9ms\n     http_reqs..........: 9 3/s\n",
    ),
    (
        "results.jtl",
        "timeStamp,elapsed,label,responseCode,responseMessage,success,failureMessage,URL,\"token\"\n\
         1795424673000,5,a,200,@,false,\"expected x, found @\",http://h/?k=@,\"@\"\n",
    ),
    (
        "results.xml",
        "<testResults version=\"1.2\"><httpSample t=\"5\" ts=\"1795424673000\" s=\"false\" lb=\"a\" rc=\"200\" rm=\"@\">\
         <responseHeader class=\"java.lang.String\">Set-Cookie: @</responseHeader><requestHeader>Authorization: @</requestHeader>\
         <responseData>@</responseData><cookies>@</cookies><queryString>k=@</queryString><java.net.URL>http://h/?k=@</java.net.URL>\
         <assertionResult><failureMessage>found @</failureMessage></assertionResult></httpSample></testResults>",
    ),
    (
        "simulation.log",
        "RUN\tsim\tid\t1795424673000\t \t3.9.5\n\
         REQUEST\t\ta\t1795424673000\t1795424673100\tKO\tjsonPath($.token).find.is(x), but actually found @\n\
         REQUEST\t\ta\t1795424673000\t1795424673100\tKO\ti.n.ConnectException: http://h/?k=@\n",
    ),
    (
        "artillery.json",
        r#"{"aggregate":{"counters":{"http.requests":2,"http.responses":1,"http.codes.200":1,"errors.Get http://h/?k=@":1},"rates":{},"summaries":{}},"intermediate":[]}"#,
    ),
    (
        "ghz.json",
        r#"{"date":"2026-11-23T09:14:36Z","options":{"call":"a.B.C","metadata":{"authorization":"@"},"data":{"password":"@"},"c":1},"count":1,"total":5,"average":5,"fastest":5,"slowest":5,"rps":1.0,"errorDistribution":{"Get \"http://h/p?key=@\": EOF":1},"statusCodeDistribution":{"Unavailable":1},"details":[{"error":"@"}]}"#,
    ),
    (
        "requests.csv",
        "elapsed,scenario_index,scenario_name,transaction_index,transaction_name,raw,name,final_url,redirected,response_time,status_code,success,update,user,error,coordinated_omission_elapsed,user_cadence\n\
         0,0,a,0,,\"GooseRawRequest { method: Get, url: \"\"http://h/?k=@\"\", headers: [\"\"authorization: @\"\"], body: \"\"@\"\" }\",/x,http://h/x?token=@,false,3,500,false,false,0,@,0,0\n",
    ),
    (
        "vegeta.ndjson",
        "{\"attack\":\"a\",\"seq\":0,\"code\":0,\"timestamp\":\"2026-11-23T09:14:36Z\",\"latency\":5,\"error\":\"Get \\\"http://h/?key=@\\\": EOF\",\"body\":\"@\",\"method\":\"GET\",\"url\":\"http://h/\",\"headers\":{\"Authorization\":[\"@\"]}}\n",
    ),
    (
        "fortio.json",
        r#"{"Labels":"","StartTime":"2026-11-23T09:14:36Z","ActualQPS":3,"ActualDuration":1000000000,"NumThreads":1,"Version":"1.75.2","HTTPOptions":{"URL":"http://h/","UserCredentials":"u:@","Payload":"@","ExtraHeaders":{"Authorization":["@"]}},"DurationHistogram":{"Count":3,"Min":0.1,"Max":0.2,"Sum":0.4,"Avg":0.13,"Data":null},"RetCodes":{"200":3},"URL":"http://h/"}"#,
    ),
    (
        "hey.txt",
        "Summary:\n  Total:\t0.01 secs\n  Slowest:\t0.003 secs\n  Fastest:\t0.001 secs\n  Average:\t0.002 secs\n  Requests/sec:\t500.0\n\nStatus code distribution:\n  [200]\t60 responses\n\nError distribution:\n  [3]\tGet \"http://h/?token=@\": EOF\n",
    ),
    (
        "nbomber.json",
        r#"{"TestInfo":{"CustomSettings":"@"},"FinalStats":{"ScenarioStats":[{"ScenarioName":"s","Duration":"00:00:03","StepStats":[{"StepName":"a","Ok":{"Request":{"Count":3,"RPS":1.0}},"Fail":{"Request":{"Count":1,"RPS":0.3},"StatusCodes":[{"StatusCode":"500","Message":"@"}]}}]}]}}"#,
    ),
    (
        "junit.xml",
        "<testsuite name=\"s\"><properties><property name=\"token\" value=\"@\"/></properties><testcase classname=\"c\" name=\"a\" time=\"0.1\"><failure message=\"@\">@</failure><system-out>@</system-out></testcase></testsuite>",
    ),
    ("benchmark.json", r#"[{"name":"a","unit":"ms","value":3,"extra":"token: @","range":"@"}]"#),
    ("molotov.txt", "Preparing 8 workers...\nTraceback: KeyError('@')\nSUCCESSES: 10 | FAILURES: 2\n"),
];

#[test]
fn nothing_we_print_or_write_holds_a_secret() {
    for (name, text) in PLANTED {
        let workspace = Workspace::new();
        workspace.write(name, text.replace('@', SECRET));
        let mut written = 0;
        for arguments in [
            format!("inspect {name}"),
            format!("inspect --format json {name}"),
            format!("check --verbose {name}"),
            format!("baseline add {name}"),
            format!("check --verbose {name}"),
        ] {
            let ran = workspace.run(&arguments);
            let what = format!("{name}: loadgate {arguments}");
            assert!(ran.code < 2, "{what}: {}", ran.stderr);
            assert!(
                !ran.stdout.contains(SECRET) && !ran.stderr.contains(SECRET),
                "{what}: {}{}",
                ran.stdout,
                ran.stderr
            );
        }
        let files = below(&workspace.path("."));
        for file in files.iter().filter(|file| !file.ends_with(name)) {
            let bytes = String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned();
            assert!(!bytes.contains(SECRET), "{name}: {}", file.display());
            written += 1;
        }
        assert!(written >= 5, "report, summary, page and baseline are among {files:?}");
    }
}

#[test]
fn errors_of_locust_are_kept_without_the_queries_of_urls() {
    let workspace = Workspace::new();
    let header = "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,Max Response Time,Average Content Size,Requests/s,Failures/s,50%,95%\n";
    workspace.write(
        "run_stats.csv",
        format!("{header}GET,/a,9,1,5,5,5,5,0,3,0.3,5,5\n,Aggregated,9,1,5,5,5,5,0,3,0.3,5,5\n"),
    );
    let failures = "Method,Name,Error,Occurrences\nGET,/a,\"HTTPError('401 Client Error: Unauthorized for url: http://h/a?token=@')\",1\n";
    workspace.write("run_failures.csv", failures.replace('@', SECRET));
    let exceptions = "Count,Message,Traceback,Nodes\n1,bad token @,\"File \"\"x.py\"\", in login @\",local\n";
    workspace.write("run_exceptions.csv", exceptions.replace('@', SECRET));
    let ran = workspace.run("inspect --format json run_stats.csv run_failures.csv run_exceptions.csv");
    assert!(ran.stdout.contains("Unauthorized for url: http://h/a?"), "{}{}", ran.stdout, ran.stderr);
    assert!(!ran.stdout.contains(SECRET), "{}", ran.stdout);
}

/// Another member in every object of a document, as deep as `depth`.
fn plant(value: &mut Value, depth: usize) {
    match value {
        Value::Object(members) => {
            if depth > 0 {
                members.values_mut().for_each(|member| plant(member, depth - 1));
            }
            members.insert("zz_authorization".to_owned(), SECRET.into());
        }
        Value::Array(items) if depth > 0 => items.iter_mut().for_each(|item| plant(item, depth - 1)),
        _ => {}
    }
}

/// The text with secrets in places that its format has no word for, the boldest first: every object of JSON, another column
/// of CSV, lines before and behind of text.
fn planted(text: &str) -> Vec<String> {
    let documents: Option<Vec<Value>> =
        serde_json::Deserializer::from_str(text).into_iter::<Value>().collect::<Result<_, _>>().ok();
    if let Some(documents) = documents.filter(|documents| documents.iter().any(|one| one.is_object() || one.is_array()))
    {
        let write = |depth| {
            let lines = documents.clone().into_iter().map(|mut document| {
                plant(&mut document, depth);
                document.to_string() + "\n"
            });
            lines.collect::<String>()
        };
        return [9, 3, 2, 1, 0].into_iter().map(write).collect();
    }
    if text.trim_start().starts_with('<') {
        let inside = text.replace("</", &format!("<!-- {SECRET} --></"));
        return vec![inside];
    }
    let mut ways = vec![format!("Authorization: Bearer {SECRET}\n{text}\nAuthorization: Bearer {SECRET}\n")];
    for delimiter in [',', '\t'] {
        let mut lines = text.lines();
        let header = lines.by_ref().next().unwrap_or_default();
        let rows = lines.map(|line| format!("{line}{delimiter}{SECRET}\n"));
        ways.push(format!("{header}{delimiter}zz_authorization\n") + &rows.collect::<String>());
    }
    ways
}

fn parse(format: &Format, bytes: &[u8]) -> Option<Run> {
    let whole = bytes.len() < Head::LEN;
    let head = Head::new("a.txt", bytes.iter().take(Head::LEN).copied().collect(), whole);
    if !matches!(detect(&head), Detected::One(found) if found.id == format.id) {
        return None;
    }
    let mut recorder = Recorder::new();
    let mut reader = bytes;
    (format.parse)(&mut Source { name: "a.txt", reader: &mut reader, blocks: None }, &mut recorder).ok()?;
    recorder.finish().ok().filter(|run| !run.endpoints.is_empty() || run.total.is_some())
}

#[test]
fn what_a_format_has_no_word_for_is_not_kept() {
    let files = below(&fixtures());
    let mut tried = BTreeSet::new();
    for file in files {
        let artifact = Artifact { name: "x".to_owned(), path: file.clone(), member: None, named: true };
        let mut bytes = Vec::new();
        open(&artifact).unwrap().reader.read_to_end(&mut bytes).unwrap();
        let Ok(text) = String::from_utf8(bytes) else { continue };
        // Enough rows of a long file; a document is whole or none.
        let rows = !text.starts_with(['{', '[']) || text.lines().nth(1).is_some_and(|line| line.starts_with('{'));
        let text = if rows { text.split_inclusive('\n').take(200).collect() } else { text };
        let head = Head::new("a.txt", text.bytes().take(Head::LEN).collect(), text.len() < Head::LEN);
        let Detected::One(format) = detect(&head) else { continue };
        if let Some(run) = planted(&text).iter().find_map(|text| parse(format, text.as_bytes())) {
            tried.insert(format.id);
            let json = serde_json::to_string(&run).unwrap();
            assert!(!json.contains(SECRET), "{}: {json}", file.display());
        }
    }
    let without: Vec<&str> = FORMATS.iter().map(|format| format.id).filter(|id| !tried.contains(id)).collect();
    assert!(tried.len() >= 50, "formats that no secret could be planted in: {without:?}");
}

#[test]
fn renaming_and_leaving_out_work_alike_for_every_format() {
    let files = below(&fixtures());
    let config = "endpoints: { rename: [{ match: \"^.*$\", to: \"everything\" }, { match: \"everything\", to: \"all of it\" }] }";
    let names = loadgate::config::Config::parse(config, "loadgate.yml").unwrap().names;
    let gone = loadgate::config::Config::parse("endpoints: { ignore: [\"*\"] }", "loadgate.yml").unwrap().names;
    let mut tried = BTreeSet::new();
    for file in files {
        let name = file.to_str().unwrap().to_owned();
        let artifact = Artifact { name, path: file.clone(), member: None, named: true };
        let Ok(mut reading) = loadgate::format::read::read(&[artifact], &[]) else { continue };
        for run in reading.runs.iter_mut().filter(|run| !run.endpoints.is_empty()) {
            tried.insert(run.format.clone());
            let labels: Vec<String> = run.endpoints.iter().map(loadgate::run::Endpoint::label).collect();
            let counted: Option<u64> = run.endpoints.iter().map(|endpoint| endpoint.requests).sum();
            let merged: Vec<String> = names.describe(run).merged.into_values().flatten().collect();
            assert_eq!(BTreeSet::from_iter(&merged), BTreeSet::from_iter(&labels), "{}", file.display());
            let mut without = run.clone();
            assert_eq!(gone.describe(&without).ignored.len(), labels.len(), "{}", file.display());
            gone.apply(&mut without);
            assert!(without.endpoints.is_empty(), "{}", file.display());
            names.apply(run);
            let methods: BTreeSet<Option<String>> =
                run.endpoints.iter().map(|endpoint| endpoint.method.clone()).collect();
            assert_eq!(run.endpoints.len(), methods.len(), "one endpoint per method: {}", file.display());
            assert_eq!(run.endpoints.iter().map(|endpoint| endpoint.requests).sum::<Option<u64>>(), counted);
        }
    }
    assert!(tried.len() >= 45, "{tried:?}");
}
