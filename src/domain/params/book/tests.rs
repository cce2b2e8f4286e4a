use std::time::Duration;

use proptest::prelude::*;
use rust_decimal::Decimal;

use super::*;
use crate::domain::ParamKind;
use crate::domain::params::parameters;
use crate::domain::params::sample::{Sample, params};

const NOW: Timestamp = Timestamp::from_secs(1_795_348_800);

fn table() -> Table {
    Table::of::<Sample>()
}

fn book_at_start(
    stored: Option<ParamBook>,
    strategy: &StrategyId,
    file: &Values,
    table: &Table,
    now: Timestamp,
) -> ParamBook {
    open(stored, strategy, file, table, now).book
}

fn file() -> Values {
    params().texts()
}

fn changes(pairs: &[(&str, &str)]) -> Values {
    pairs.iter().map(|&(name, text)| (name.to_owned(), text.to_owned())).collect()
}

fn alice() -> Author<'static> {
    Author { by: "cli:alice", why: "calmer", command: Some("c1"), at: NOW }
}

fn first() -> ParamBook {
    book_at_start(None, &"momentum".into(), &file(), &table(), NOW)
}

fn changed(book: &ParamBook, pairs: &[(&str, &str)]) -> ParamBook {
    match set(book, &table(), None, &changes(pairs), &alice()) {
        Ok(Outcome::New(book)) => book,
        other => panic!("a new version was expected: {other:?}"),
    }
}

fn latest(book: &ParamBook) -> &ParamVersion {
    book.in_force().expect("never empty")
}

#[test]
fn the_file_is_version_one() {
    let book = first();
    let version = latest(&book);
    assert_eq!((version.version, version.by.as_str(), &version.values), (1, "config file", &file()));
    assert_eq!(book.table.len(), Sample::TABLE.len());
    let threshold = book.table.iter().find(|doc| doc.name == "threshold").expect("declared");
    assert_eq!((threshold.low.as_deref(), threshold.high.as_deref()), (Some("0.00001"), Some("0.5")));
}

#[test]
fn a_change_is_a_version_with_who_why_and_what() {
    let book = changed(&first(), &[("threshold", "0.0005"), ("window_s", "30")]);
    let version = latest(&book);
    assert_eq!((version.version, version.by.as_str(), version.why.as_str()), (2, "cli:alice", "calmer"));
    let told: Vec<_> = version.changed.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["threshold 0.0001 -> 0.0005", "window_s 15 -> 30"]);
    assert_eq!(set(&book, &table(), None, &changes(&[("threshold", "0.0005")]), &alice()), Ok(Outcome::Same(2)));
}

#[test]
fn another_version_in_force_refuses_whatever_is_asked() {
    let book = changed(&first(), &[("threshold", "0.0005")]);
    let refused = set(&book, &table(), Some(1), &changes(&[("threshold", "0.0006")]), &alice());
    assert_eq!(refused, Err(vec!["version 2 is in force, not 1: look at it and ask again".to_owned()]));
    assert!(set(&book, &table(), Some(2), &changes(&[("threshold", "0.0006")]), &alice()).is_ok());
}

#[test]
fn every_objection_is_told_at_once() {
    let author = Author { why: " ", ..alice() };
    let wrong = changes(&[("threshold", "0.6"), ("window_s", "0"), ("tresh", "1")]);
    let reasons = set(&first(), &table(), None, &wrong, &author).expect_err("all wrong");
    assert_eq!(reasons.len(), 4, "{reasons:?}");
    assert_eq!(reasons[0], "why: a reason is needed");
    assert!(reasons.contains(&"threshold = 0.6: allowed: a decimal from 0.00001 to 0.5".to_owned()), "{reasons:?}");
    assert!(set(&first(), &table(), None, &changes(&[]), &alice()).is_err());
    let long = "x".repeat(501);
    assert!(rollback(&first(), &table(), None, 1, &Author { why: &long, ..alice() }).is_err());
}

#[test]
fn a_rollback_is_a_new_version_with_the_old_values() {
    let book = changed(&changed(&first(), &[("threshold", "0.0005")]), &[("size", "10")]);
    let Ok(Outcome::New(back)) = rollback(&book, &table(), None, 1, &alice()) else { panic!("not rolled back") };
    assert_eq!((latest(&back).version, &latest(&back).values), (4, &file()));
    assert_eq!(rollback(&back, &table(), None, 4, &alice()), Ok(Outcome::Same(4)));
    assert_eq!(
        rollback(&back, &table(), None, 9, &alice()),
        Err(vec!["version 9 is not kept; there are 1 to 4".to_owned()])
    );
}

#[test]
fn a_rollback_from_a_version_that_is_not_in_force_is_refused() {
    let book = changed(&changed(&first(), &[("threshold", "0.0005")]), &[("size", "10")]);
    let refused = rollback(&book, &table(), Some(2), 1, &alice());
    assert_eq!(refused, Err(vec!["version 3 is in force, not 2: look at it and ask again".to_owned()]));
    assert!(rollback(&book, &table(), Some(3), 1, &alice()).is_ok());
}

#[test]
fn of_a_version_beyond_those_that_are_kept_it_is_said_where_its_values_are() {
    let mut book = first();
    for size in 100..100 + KEPT {
        book = changed(&book, &[("size", &size.to_string())]);
    }
    let refused = rollback(&book, &table(), None, 1, &alice()).expect_err("gone");
    assert_eq!(
        refused,
        [
            "version 1 is not kept; there are 2 to 201. The ledger has its values: cockpit audit params momentum 1 prints each as \
          NAME=VALUE, cockpit params set momentum takes them so"
        ]
    );
    assert!(rollback(&book, &table(), None, 2, &alice()).is_ok());
    for never in [0, 202] {
        let refused = rollback(&book, &table(), None, never, &alice()).expect_err("never was");
        assert_eq!(refused, [format!("version {never} is not kept; there are 2 to 201")]);
    }
}

#[test]
fn at_a_start_what_was_said_last_about_each_parameter_counts() {
    let live = changed(&first(), &[("threshold", "0.0005")]);
    let again = book_at_start(Some(live.clone()), &"momentum".into(), &file(), &table(), NOW);
    assert_eq!(again, live, "the same file changes nothing");

    let mut edited = file();
    edited.insert("cooldown_s".into(), "9".into());
    let merged = book_at_start(Some(live.clone()), &"momentum".into(), &edited, &table(), NOW);
    let version = latest(&merged);
    assert_eq!((version.version, version.by.as_str()), (3, "config file"));
    assert_eq!(version.changed.iter().map(ToString::to_string).collect::<Vec<_>>(), ["cooldown_s 5 -> 9"]);
    assert_eq!(version.values["threshold"], "0.0005", "set while running, and the file says nothing new of it");
    assert_eq!(book_at_start(Some(merged.clone()), &"momentum".into(), &edited, &table(), NOW), merged);
}

#[test]
fn what_is_fixed_is_always_the_files() {
    let mut other = first();
    other.versions[0].values.insert("on".into(), "ETH/USD eth-updown-5m-{start}".into());
    let opened = book_at_start(Some(other), &"momentum".into(), &file(), &table(), NOW);
    assert_eq!((latest(&opened).version, &latest(&opened).values), (2, &file()));
}

#[test]
fn a_version_that_no_longer_fits_gives_way_to_the_file() {
    let mut old = changed(&first(), &[("size", "10")]);
    old.versions[1].values.insert("threshold".into(), "9".into());
    let opened = book_at_start(Some(old), &"momentum".into(), &file(), &table(), NOW);
    let version = latest(&opened);
    assert_eq!((version.version, &version.values), (3, &file()));
    assert!(version.why.starts_with("version 2 does not fit any more: threshold = 9"), "{}", version.why);

    let mut older = first();
    older.versions[0].values.insert("gone".into(), "1".into());
    older.versions[0].values.remove("min_edge");
    older.file.remove("min_edge");
    let opened = book_at_start(Some(older), &"momentum".into(), &file(), &table(), NOW);
    assert_eq!(latest(&opened).values, file(), "parameters that came or went with an upgrade do no harm");
}

parameters! {
    /// Limits of a test.
    struct Bounds {
        /// Lower is tighter.
        most: Decimal = ParamKind::Decimal { low: "0", high: "1000" }, "most", "", Lower;
        /// Higher is tighter.
        pause: Duration = ParamKind::Seconds { low: 0, high: 100 }, "pause_s", "s", Higher;
        /// Fewer are tighter.
        markets: Vec<String> = ParamKind::Markets, "markets", "", Fewer;
    }
}

fn bounds(most: &str, pause: &str) -> Values {
    changes(&[("most", most), ("pause_s", pause), ("markets", "a,b")])
}

fn bounds_opened(stored: Option<ParamBook>, file: &Values) -> (ParamBook, Vec<String>) {
    let opened = open(stored, &"risk".into(), file, &Table::of::<Bounds>(), NOW);
    (opened.book, opened.unconfirmed.iter().map(ToString::to_string).collect())
}

#[test]
fn of_a_file_only_what_tightens_is_taken_and_what_widens_is_told_until_it_is_allowed() {
    let (book, _) = bounds_opened(None, &bounds("500", "10"));
    let (again, told) = bounds_opened(Some(book.clone()), &bounds("500.0", "10"));
    assert_eq!((again.versions.len(), told.len()), (1, 0), "the same in other digits");
    let (tighter, told) = bounds_opened(Some(book.clone()), &bounds("800", "20"));
    assert_eq!((&latest(&tighter).values, told), (&bounds("500", "20"), vec!["most 500 -> 800".to_owned()]));
    let (still, told) = bounds_opened(Some(tighter.clone()), &bounds("800", "20"));
    assert_eq!((&still, told.len()), (&tighter, 1), "at every start");
    let confirmed = set(&tighter, &Table::of::<Bounds>(), None, &changes(&[("most", "800")]), &alice());
    let Ok(Outcome::New(confirmed)) = confirmed else { panic!("a new version") };
    let (allowed, told) = bounds_opened(Some(confirmed), &bounds("800", "20"));
    assert_eq!((latest(&allowed).values["most"].as_str(), told.len()), ("800", 0));
    assert_eq!(allowed.file["most"], "800", "and is heeded from now on");
    let live = set(&allowed, &Table::of::<Bounds>(), None, &changes(&[("most", "100")]), &alice());
    let Ok(Outcome::New(live)) = live else { panic!("a new version") };
    let (kept, told) = bounds_opened(Some(live), &bounds("800", "20"));
    assert_eq!((latest(&kept).values["most"].as_str(), told.len()), ("100", 0), "nobody edited the file");
}

#[test]
fn of_a_list_in_the_file_what_is_gone_is_gone_and_what_is_new_waits() {
    let (book, _) = bounds_opened(None, &bounds("500", "10"));
    let mut file = bounds("500", "10");
    file.insert("markets".into(), "b,c".into());
    let (opened, told) = bounds_opened(Some(book), &file);
    assert_eq!((latest(&opened).values["markets"].as_str(), told), ("b", vec!["markets a,b -> b,c".to_owned()]));
    let (again, told) = bounds_opened(Some(opened.clone()), &file);
    assert_eq!((&again, told), (&opened, vec!["markets b -> b,c".to_owned()]));
}

#[test]
fn a_list_can_be_set_empty_which_widens_nothing() {
    let (book, _) = bounds_opened(None, &bounds("500", "10"));
    let table = Table::of::<Bounds>();
    let emptied = set(&book, &table, None, &changes(&[("markets", "")]), &alice());
    let Ok(Outcome::New(emptied)) = emptied else { panic!("a new version: {emptied:?}") };
    assert_eq!(latest(&emptied).changed[0].to_string(), "markets a,b -> (empty)");
    assert_eq!(table.widened(&latest(&book).values, &latest(&emptied).values), []);
    let back = table.widened(&latest(&emptied).values, &latest(&book).values);
    assert_eq!(back.iter().map(ToString::to_string).collect::<Vec<_>>(), ["markets (empty) -> a,b"]);
}

#[test]
fn limits_that_no_longer_fit_give_way_without_widening_the_others() {
    let (mut book, _) = bounds_opened(None, &bounds("500", "10"));
    book.versions[0].values.insert("pause_s".into(), "4000".into());
    book.versions[0].values.insert("most".into(), "100".into());
    let (opened, _) = bounds_opened(Some(book), &bounds("500", "10"));
    assert_eq!(latest(&opened).values, bounds("100", "10"));
}

proptest! {
    /// Whatever is asked, the version in force fits the table, numbers count up by one, and the history is bounded.
    #[test]
    fn the_book_is_always_whole(asked in prop::collection::vec((0_u64..400, "threshold|window_s|size|nonsense", "0|0\\.0[0-9]{1,4}|[0-9]{1,4}|x", any::<bool>()), 1..300)) {
        let mut book = first();
        for (number, name, text, back) in asked {
            let before = latest(&book).version;
            let outcome = if back {
                rollback(&book, &table(), None, number, &alice())
            } else {
                set(&book, &table(), None, &changes(&[(&name, &text)]), &alice())
            };
            match outcome {
                Ok(Outcome::New(new)) => {
                    prop_assert_eq!(latest(&new).version, before + 1);
                    book = new;
                }
                Ok(Outcome::Same(version)) => prop_assert_eq!(version, before),
                Err(reasons) => prop_assert!(!reasons.is_empty()),
            }
            prop_assert!((table().check)(&latest(&book).values).is_ok());
            prop_assert!(book.versions.len() <= KEPT);
            prop_assert!(book.versions.windows(2).all(|pair| pair[1].version == pair[0].version + 1));
        }
    }
}
