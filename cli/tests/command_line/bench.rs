//! bench.

use crate::support::Place;

const SHORT: [&str; 6] = ["--keys", "500", "--seconds", "0.01", "--threads", "2"];

#[test]
fn a_bench_measures_every_workload_and_removes_its_store() {
    let place = Place::new();
    for store in [None, Some("new")] {
        let args = ["bench", "--json"].into_iter().chain(SHORT).chain(store);
        let rows = place.run(args).json();
        let names: Vec<_> = rows.iter().map(|row| row["workload"].as_str()).collect();
        let wanted = ["fill", "get", "scan 100", "put", "put durable"].map(Some);
        let beside = ["get", "put", "put durable"].map(|name| format!("{name}, checkpoints"));
        let beside = beside.iter().map(|name| Some(name.as_str()));
        let beside = beside.filter(|_| store.is_some());
        assert_eq!(names, wanted.into_iter().chain(beside).collect::<Vec<_>>());
        assert_eq!(rows[0]["operations"], 500);
        for row in rows {
            assert!(row["p50_us"].as_f64() <= row["p99_us"].as_f64());
            assert!(row["p999_us"].as_f64() <= row["max_us"].as_f64());
        }
        assert!(!place.path("new").exists());
    }
    let text = place.run(["bench"].into_iter().chain(SHORT)).text();
    assert_eq!(text.lines().count(), 6);
}

/// Put back: the bench writes to the store, and removes it.
#[test]
fn a_bench_leaves_a_store_alone_that_exists() {
    let place = Place::with(&[("a", "1")]);
    place.run(["bench", "store"]).fails(2, "exists");
    assert_eq!(place.run(["scan", "store", "t"]).text(), "a\t1\n");
}
