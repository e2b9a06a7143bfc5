//! What is peculiar to JMeter's files: columns, dates, transactions, samples inside samples. [I/O]

use std::fs;
use std::path::Path;

use loadgate::artifact::discover::discover;
use loadgate::format::read::{ReadError, read};
use loadgate::run::Run;
use loadgate::run::metric::Metric;

/// The one run in files of these names and contents.
fn read_files(files: &[(&str, &str)]) -> Result<Run, ReadError> {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let artifacts = discover(folder.path(), &[".".to_owned()]).unwrap();
    read(&artifacts, &[]).map(|mut reading| {
        assert_eq!(reading.runs.len(), 1, "{:?}", reading.runs);
        reading.runs.remove(0)
    })
}

fn read_text(text: &str) -> Result<Run, ReadError> {
    read_files(&[("results.jtl", text)])
}

fn fixture(name: &str) -> Run {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/jmeter/public");
    let artifacts = discover(&folder, &[name.to_owned()]).unwrap();
    read(&artifacts, &[]).unwrap().runs.remove(0)
}

/// Requests and failures of an endpoint.
fn counts(run: &Run, label: &str) -> (Option<u64>, Option<u64>) {
    let endpoint = run.endpoint(label).unwrap_or_else(|| panic!("no {label} in {run:?}"));
    (endpoint.requests, endpoint.failures)
}

#[test]
fn columns_stand_in_any_order_behind_any_delimiter() {
    for (delimiter, name) in [(',', "comma"), (';', "semicolon"), ('\t', "tab"), ('|', "pipe"), ('^', "caret")] {
        let text = "success,\"SESSION\",label,elapsed,timeStamp,allThreads\n\
                    true,null,\"a\"\"b\nc,d\",5,1795424673000,3\nFALSE,null,x,7,1795424674000,4\n"
            .replace(',', &delimiter.to_string());
        let run = read_text(&text).unwrap();
        let label = format!("a\"b\nc{delimiter}d");
        assert_eq!(counts(&run, &label), (Some(1), Some(0)), "{name}");
        assert_eq!(counts(&run, "x"), (Some(1), Some(1)), "{name}");
        assert_eq!((run.load.users, run.duration_s), (Some(4.0), Some(1.007)), "{name}");
    }
}

#[test]
fn without_a_header_the_columns_are_the_usual_ones() {
    let tails: [(&str, Option<f64>); 6] = [
        ("189", None),
        ("189,11", None),
        ("189,3,4", Some(4.0)),
        ("189,3,4,11", Some(4.0)),
        (",189,3,4,http://h/,11,0,0", Some(4.0)),
        (",189,100,3,4,http://h/,11,0,0", Some(4.0)),
    ];
    for (tail, users) in tails {
        let row = format!("1795424673317,45,/x,200,OK,users 1-3,text,true,{tail}\n");
        let run = read_text(&row.repeat(3)).unwrap();
        assert_eq!(counts(&run, "/x"), (Some(3), Some(0)), "{tail}");
        assert_eq!(run.load.users, users, "{tail}");
    }
    let run = read_text("2026/11/23 07:42:21.256,45,/x,500,\"a, b\",users 1-3,,false,189\n").unwrap();
    assert_eq!((counts(&run, "/x"), run.duration_s), ((Some(1), Some(1)), Some(0.045)));
}

#[test]
fn success_decides_and_nothing_else() {
    let run = read_text("elapsed,label,responseCode,success\n5,a,500,true\n5,b,200,false\n").unwrap();
    assert_eq!((counts(&run, "a"), counts(&run, "b")), ((Some(1), Some(0)), (Some(1), Some(1))));
    assert_eq!(
        run.endpoint("b").unwrap().errors[0].message,
        "HTTP 200, but an assertion or an embedded resource failed"
    );
    let run = read_text("elapsed,label,responseCode\n5,a,500\n").unwrap();
    assert_eq!(counts(&run, "a"), (Some(1), None), "unknown, not derived from the code");
    let run = read_text("elapsed,label,SampleCount,ErrorCount\n5,a,1,1\n5,a,1,0\n").unwrap();
    assert_eq!(counts(&run, "a"), (Some(2), Some(1)));
}

#[test]
fn dates_in_a_pattern_give_the_duration_if_they_are_dates() {
    let duration = |first: &str, last: &str| {
        let run =
            read_text(&format!("timeStamp,elapsed,label,success\n{first},500,a,true\n{last},500,a,true\n")).unwrap();
        (run.duration_s, run.started_at.is_some())
    };
    assert_eq!(duration("1795424673000", "1795424674000"), (Some(1.5), true));
    assert_eq!(duration("2026-11-23T07:42:21.000Z", "2026-11-23T07:42:22.000Z"), (Some(1.5), true));
    assert_eq!(
        duration("2026-11-23 23:59:59.500", "2026-11-24 00:00:00.500"),
        (Some(1.5), false),
        "no zone, no instant"
    );
    assert_eq!(duration("23.11.2026 07:42:21", "23.11.2026 07:42:22"), (Some(1.5), false));
    assert_eq!(duration("11/23/26 11:59:59 AM", "11/23/26 12:00:00 PM"), (Some(1.5), false));
    assert_eq!(duration("01/02/26 07:42:21", "02/02/26 07:42:22"), (None, false), "day or month?");
    assert_eq!(duration("2026-42-23 07:11:21", "2026-05-23 07:11:22"), (None, false), "minutes in place of months");
    assert_eq!(duration("1795424673000", "null"), (None, false));
}

#[test]
fn transactions_and_parts_are_endpoints_outside_the_total() {
    let run = fixture("csv-redirects.jtl");
    assert_eq!(counts(&run, "HTTP Request-1"), (Some(1), Some(0)));
    assert_eq!(run.total.unwrap().requests, Some(1), "three redirects are in the request");
    let run = fixture("csv-transactions.csv.gz");
    assert_eq!(counts(&run, "HP").0, counts(&run, "HP-0").0);
    let rows: u64 = run.endpoints.iter().filter_map(|endpoint| endpoint.requests).sum();
    let total = run.total.unwrap().requests.unwrap();
    assert!(total > rows / 2 && total < rows, "{total} of {rows}: only the transactions' own rows are left out");
    let run = fixture("csv-taurus-tranctl.jtl");
    assert_eq!(run.total.unwrap().requests, Some(2), "nothing but transactions");
    let run = read_text("elapsed,label,success\n5,page,true\n9,page-1,true\n").unwrap();
    assert_eq!(run.total.unwrap().requests, Some(2), "`page-1` is a name like any other");
}

#[test]
fn a_killed_run_loses_half_a_row() {
    let run = read_text("timeStamp,elapsed,label,success\n1795424673000,5,a,true\n1795424673005,5,a,tr").unwrap();
    assert_eq!((counts(&run, "a"), run.complete), ((Some(1), Some(0)), Some(false)));
    assert_eq!((run.notices[0].code.as_str(), run.notices[0].line), ("cut_off", Some(3)));
    let swallowed = format!("elapsed,label,success\n5,\"a,true\n{}", "5,a,true\n".repeat(100));
    let error = read_text(&swallowed).unwrap_err().to_string();
    assert!(error.contains("rows are unreadable, the first in line 2"), "{error}");
}

#[test]
fn a_file_of_errors_only_says_so() {
    let run = read_text("elapsed,label,success\n5,a,false\n5,b,false\n").unwrap();
    assert!(run.notices.iter().any(|notice| notice.code == "all_failed"), "{run:?}");
    assert_eq!(run.total.unwrap().value(&Metric::ErrorRate), Some(1.0));
    assert!(matches!(read_text("timeStamp,elapsed,label,success\n"), Err(ReadError::NothingMeasured { .. })));
}

#[test]
fn answers_and_tokens_are_not_kept() {
    let run = read_text(
        "elapsed,label,responseCode,responseMessage,success,failureMessage,URL\n\
         5,a,200,s3cret,false,\"expected x, found s3cret\",http://h/?token=s3cret\n",
    );
    assert!(!serde_json::to_string(&run.unwrap()).unwrap().contains("s3cret"));
}

#[test]
fn load_engines_are_shards_of_one_run() {
    let engine = |n: u32| format!("timeStamp,elapsed,label,success,allThreads\n17954246730{n}0,5,a,true,3\n");
    let (first, second) = (engine(1), engine(2));
    let run = read_files(&[("engine1_results.csv", &first), ("engine2_results.csv", &second)]).unwrap();
    assert_eq!((counts(&run, "a"), run.load.users, run.files.len()), ((Some(2), Some(0)), Some(6.0), 2));
}

#[test]
fn one_run_of_jmeter_is_read_once() {
    let csv = "timeStamp,elapsed,label,success\n1795424673000,5,a,true\n";
    let errors =
        "<testResults version=\"1.2\"><httpSample t=\"5\" ts=\"1795424673000\" s=\"false\" lb=\"a\"/></testResults>";
    let run = read_files(&[("kpi.jtl", csv), ("error.jtl", errors)]).unwrap();
    assert_eq!(counts(&run, "a"), (Some(1), Some(0)));
    assert!(run.notices.iter().any(|notice| notice.code == "same_run"), "{run:?}");
}

#[test]
fn samples_inside_samples_are_endpoints_outside_the_total() {
    let xml = "\n <?xml version=\"1.0\"?>\n<testResults version=\"1.2\">\n\
               <sample t=\"12\" ts=\"1795424673000\" s=\"false\" lb=\"page\" rc=\"200\" na=\"3\">\n\
               <responseData class=\"java.lang.String\">s3cret \u{1} &#0;</responseData>\n\
               <httpSample t=\"5\" s=\"true\" lb=\"page\"><httpSample t=\"1\" s=\"true\" lb=\"logo &amp; x\"/></httpSample></sample>\n\
               <httpSample t=\"7\" ts=\"1795424673100\" s=\"true\" lb=\"a\"/>\n";
    let run = read_text(&format!("{xml}</testResults>")).unwrap();
    assert_eq!(counts(&run, "page"), (Some(1), Some(1)));
    assert_eq!(counts(&run, "page (inside others)"), (Some(1), Some(0)));
    assert_eq!(counts(&run, "logo & x"), (Some(1), Some(0)));
    assert_eq!((run.total.as_ref().unwrap().requests, run.load.users), (Some(2), Some(3.0)));
    assert!(!serde_json::to_string(&run).unwrap().contains("s3cret"));
    for cut in ["", "<httpSample t=\"5\" lb=", "<httpSample t=\"5\" lb=\"x\">"] {
        let run = read_text(&format!("{xml}{cut}")).unwrap();
        assert_eq!((run.total.unwrap().requests, run.complete), (Some(2), Some(false)), "{cut}");
    }
}

#[test]
fn a_saved_report_is_read_in_any_language() {
    let spanish = "Etiqueta,# Muestras,Media,Mediana,90% Linea,95% Linea,99% Linea,Mín,Máx,% Error,Rendimiento,Kb/sec,Sent KB/sec\n\
                   a,200,109,118,167,181,191,2,194,\"1,500%\",\"117,37089\",\"953,62\",\"17,65\"\n\
                   b,100,15,12,25,30,95,1,98,\"0,000%\",\"139,47001\",\"37,86\",\"29,83\"\n\
                   Total,300,78,80,160,180,190,1,194,\"1,000%\",\"200,1\",\"990,1\",\"40,2\"\n";
    let run = read_text(spanish).unwrap();
    assert_eq!((counts(&run, "a"), counts(&run, "b")), ((Some(200), Some(3)), (Some(100), Some(0))));
    assert_eq!(run.endpoint("a").unwrap().value(&Metric::LatencyP95), Some(181.0));
    let total = run.total.unwrap();
    assert_eq!((total.requests, total.failures, total.value(&Metric::LatencyMax)), (Some(300), Some(3), Some(194.0)));
}

/// Requests, failures and users of each slice.
fn course(run: &Run) -> Vec<(u64, Option<u64>, Option<f64>)> {
    let timeline = run.timeline.as_ref().unwrap_or_else(|| panic!("no course in {run:?}"));
    timeline.slices().map(|slice| (slice.requests, slice.failures, slice.users)).collect()
}

#[test]
fn a_request_is_in_the_course_where_it_ends() {
    let text = "timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,allThreads\n\
                1795424673000,5,a,200,OK,t,true,3\n\
                1795424673100,950,a,500,\"no, not\",t,false,4\n\
                1795424674100,5,b,200,\"Number of samples in transaction : 1, number of failing samples : 0\",t,true,9\n\
                1795424675100,5,\"b\nc\",200,OK,t,true,2\n";
    let run = read_text(text).unwrap();
    assert_eq!(course(&run), [(1, Some(0), Some(3.0)), (1, Some(1), Some(4.0)), (1, Some(0), Some(2.0))]);
    assert_eq!(run.timeline.unwrap().start().unwrap().to_string(), "2026-11-23T09:04:33Z");
}

#[test]
fn parts_of_requests_are_not_in_the_course_a_second_time() {
    let rows = |labels: [&str; 4]| {
        let row =
            |(second, label): (usize, &str)| format!("{},5,{label},200,true\n", 1_795_424_673_000 + second * 1_000);
        "timeStamp,elapsed,label,responseCode,success\n".to_owned()
            + &labels.into_iter().enumerate().map(row).collect::<String>()
    };
    let requests = |labels| {
        let run = read_text(&rows(labels)).unwrap();
        run.timeline.map(|timeline| timeline.slices().map(|slice| slice.requests).collect::<Vec<_>>())
    };
    assert_eq!(requests(["a", "a-0", "a-1", "a"]), Some(vec![1, 0, 0, 1]));
    assert_eq!(requests(["a", "b-0", "b-1", "a"]), Some(vec![1, 1, 1, 1]));
    // Which of the numbered ones would have to stay out is known too late.
    assert_eq!(requests(["a", "a-0", "b-7", "a"]), None);
}

#[test]
fn times_in_no_known_zone_make_no_course() {
    let text = "timeStamp,elapsed,label,success\n2026/11/23 09:04:33,5,a,true\n2026/11/23 09:04:35,5,a,true\n";
    let run = read_text(text).unwrap();
    assert_eq!((run.duration_s, run.timeline), (Some(2.005), None));
}

#[test]
fn groups_of_samples_are_in_the_course_unless_they_sum_up_others() {
    let csv = "timeStamp,elapsed,label,success,responseMessage,SampleCount,ErrorCount\n\
               1795424673000,40,a,true,OK,4,1\n\
               1795424674000,40,t,true,\"Number of samples in transaction : 4\",4,0\n\
               1795424675000,40,a,true,OK,2,0\n";
    let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
<testResults version="1.2">
<sample t="40" ts="1795424673000" s="true" lb="a" sc="4" ec="1"/>
<sample t="40" ts="1795424674000" s="true" lb="t" rm="Number of samples in transaction : 4" sc="4" ec="0"/>
<sample t="40" ts="1795424675000" s="true" lb="a" sc="2" ec="0"/>
</testResults>
"#;
    for text in [csv, xml] {
        let slices: Vec<_> = course(&read_text(text).unwrap())
            .into_iter()
            .map(|(requests, failures, _)| (requests, failures.unwrap_or(0)))
            .collect();
        assert_eq!(slices, [(4, 1), (0, 0), (2, 0)], "{text}");
    }
}
