//! Simulated load tests: the same bytes for the same seed.

use std::fs;
use std::path::Path;

use loadgate::cli::Simulate;
use loadgate::commands::simulate::simulate;

fn write(seed: u64, out: &Path) -> String {
    let arguments = Simulate {
        seed,
        out: out.to_owned(),
        seconds: 60,
        users: 10,
        requests: None,
        degrade: vec!["api_gateway:latency*1.3,error+1pp".to_owned()],
        k6: true,
        jtl: true,
    };
    simulate(&arguments).unwrap().stdout
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
    let said = write(42, &a);
    assert_eq!(said, write(42, &b));
    assert!(said.contains("api_gateway: latency x 1.3, error rate + 1 pp"), "{said}");
    write(43, &c);
    let mut names: Vec<_> = fs::read_dir(&a).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names.len(), 5);
    for name in names {
        let read = |folder: &Path| fs::read(folder.join(&name)).unwrap();
        assert_eq!(read(&a), read(&b), "{name:?}");
        // The failures file holds nothing but a count, which two seeds may share; which requests failed is held below.
        if name != "simulated_failures.csv" {
            assert_ne!(read(&a), read(&c), "{name:?}");
        }
    }
    let failed = |folder: &Path| -> Vec<bool> {
        let text = fs::read_to_string(folder.join("simulated.jtl")).unwrap();
        text.lines().filter(|line| line.contains(",api_gateway,")).map(|line| line.contains(",false,")).collect()
    };
    assert_eq!(failed(&a).iter().filter(|failed| **failed).count(), 45);
    assert!(failed(&a).iter().zip(&failed(&c)).any(|(a, c)| a != c), "the same requests fail for both seeds");
    for line in fs::read_to_string(a.join("simulated.k6.json")).unwrap().lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}
