//! Exports whose pages are late, refused or broken, and readers who take their time.

use super::*;
use rollcall_store::Cursor;
use serde_json::{Value as Json, json};
use std::cell::RefCell;

const TIME: Duration = Duration::from_secs(60);
const COLUMNS: &[&str] = &["id"];

enum Page {
    /// The first and the last number.
    Of(u64, u64),
    Fails(StoreError),
    Never,
}

/// Pages as they are told, each asked for once. `begun` is noted.
struct Told {
    pages: RefCell<VecDeque<Page>>,
    begun: RefCell<Vec<bool>>,
}

impl Pages for Told {
    type Place = Cursor;

    async fn page(&self, _: Option<Cursor>, begun: bool) -> Result<(Vec<Row>, Option<Cursor>), AdminError> {
        self.begun.borrow_mut().push(begun);
        let page = self.pages.borrow_mut().pop_front();
        match page.expect("a page") {
            Page::Of(first, last) => {
                let next = (!self.pages.borrow().is_empty()).then(cursor);
                Ok(((first..=last).map(row).collect(), next))
            }
            Page::Fails(error) => Err(error.into()),
            Page::Never => std::future::pending().await,
        }
    }
}

fn cursor() -> Cursor {
    "EAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".parse().expect("a cursor")
}

fn row(number: u64) -> Row {
    let Json::Object(row) = json!({ "id": number }) else { panic!("an object") };
    row
}

async fn begin(format: Format, pages: Vec<Page>) -> Result<Transfer<Told>, AdminError> {
    let columns = Columns::of(COLUMNS, None).expect("columns");
    let told = Told { pages: RefCell::new(pages.into()), begun: RefCell::default() };
    Transfer::begin(told, format, columns, TIME).await
}

/// The text until the end, and whether it came to it.
async fn taken(transfer: &mut Transfer<Told>) -> (String, bool) {
    let mut text = Vec::new();
    loop {
        match transfer.slice().await {
            Ok(Some(slice)) => text.extend_from_slice(&slice),
            Ok(None) => return (String::from_utf8(text).expect("UTF-8"), true),
            Err(_) => return (String::from_utf8(text).expect("UTF-8"), false),
        }
    }
}

fn busy() -> Page {
    Page::Fails(StoreError::Busy { limit: "2 heavy requests".into(), retry_after: Duration::from_secs(2) })
}

fn away() -> Page {
    Page::Fails(StoreError::Unavailable("the database".into()))
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_refused_comes_later_and_the_first_one_is_a_refusal() {
    let pages = vec![Page::Of(1, 2), busy(), busy(), busy(), busy(), Page::Of(3, 3), away(), away(), Page::Of(4, 4)];
    let mut transfer = begin(Format::Csv, pages).await.expect("a first page");
    assert_eq!(taken(&mut transfer).await, ("id\r\n1\r\n2\r\n3\r\n4\r\n".to_owned(), true));
    assert_eq!(transfer.pages.begun.borrow()[..2], [false, true], "the first one does not wait");
    for refused in [busy(), away()] {
        assert!(begin(Format::Csv, vec![refused, Page::Of(1, 1)]).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn an_export_that_ends_early_says_so_in_its_last_line() {
    for broken in [
        vec![Page::Never],
        vec![away(), away(), away()],
        vec![Page::Fails(StoreError::Database("broken".into()))],
        (0..100).map(|_| busy()).collect(),
    ] {
        let pages = || [Page::Of(1, 1)].into_iter();
        let kind = broken.len();
        let mut lines = begin(Format::JsonLines, pages().chain(broken).collect()).await.expect("a first page");
        let (text, whole) = taken(&mut lines).await;
        let last: Json = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
        assert_eq!((&last["incomplete"], whole), (&json!(true), false), "{kind}: {text}");
        assert!(last["code"].is_string() && last["detail"].is_string(), "{text}");
        assert!(text.starts_with("{\"id\":1}\n"), "{text}");
    }
    let mut csv = begin(Format::Csv, vec![Page::Of(1, 1), Page::Never]).await.expect("a first page");
    let (text, whole) = taken(&mut csv).await;
    assert!(text.starts_with("id\r\n1\r\n\"INCOMPLETE: too_much_work: this export took longer"), "{text}");
    assert!(!whole && text.ends_with("\r\n"), "{text}");
}

/// A reader who takes a slice a second does not hold a slot of the exports for ever.
#[tokio::test(start_paused = true)]
async fn an_export_has_its_time_whatever_its_reader_takes() {
    let begun = Instant::now();
    let mut slow = begin(Format::JsonLines, vec![Page::Of(1, 300_000)]).await.expect("a first page");
    let mut last = Bytes::new();
    while let Ok(slice) = slow.slice().await {
        last = slice.expect("an early end");
        sleep(Duration::from_secs(1)).await;
    }
    let took = begun.elapsed();
    assert!(TIME <= took && took < TIME + Duration::from_secs(5), "{took:?}");
    let last: Json = serde_json::from_slice(&last).expect("a line of its own");
    assert_eq!(last["incomplete"], json!(true));
}

#[tokio::test(start_paused = true)]
async fn a_large_row_goes_out_in_pieces() {
    let mut transfer = begin(Format::JsonLines, vec![Page::Of(1, 1)]).await.expect("a first page");
    transfer.ready.clear();
    transfer.push(vec![b'x'; 2 * SLICE + 1]);
    sleep(TIME / 2).await;
    let first = transfer.slice().await.expect("bytes").expect("bytes");
    sleep(TIME).await;
    let (rest, whole) = taken(&mut transfer).await;
    assert_eq!((first.len(), rest.len(), whole), (SLICE, SLICE + 1, true), "the row that was begun goes out whole");
}
