use std::collections::HashSet;

use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Ask, Rest, read};
use crate::domain::CallClass;
use crate::exec::venue::VenueError;

const FIRST: &str = "MA==";
const END: &str = "LTE=";
/// Bound on the pages of one list; with a hundred rows a page it is far beyond any account.
const MAX_PAGES: usize = 1_000;

#[derive(Deserialize)]
struct Page {
    next_cursor: String,
    data: Vec<Box<RawValue>>,
}

impl Rest {
    /// Reads every page of a list and maps every row: what can be read, and beside it what cannot, since a list with holes that it does
    /// not name would look complete.
    pub(super) async fn pages<T: Send, Hole: Send>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        map: impl Fn(&str) -> Vec<Result<T, Hole>> + Send,
    ) -> Result<(Vec<T>, Vec<Hole>), VenueError> {
        let (mut rows, mut holes) = (Vec::new(), Vec::new());
        let (mut cursor, mut seen) = (FIRST.to_owned(), HashSet::new());
        while cursor != END {
            if cursor.is_empty() || seen.len() >= MAX_PAGES || !seen.insert(cursor.clone()) {
                let page = seen.len();
                return Err(VenueError::Unreadable(format!(
                    "{path}: cursor '{cursor}' after page {page} leads nowhere"
                )));
            }
            let query = [query, &[("next_cursor", cursor.as_str())]].concat();
            let ask = Ask { query: &query, ..Ask::of(CallClass::Lists, Method::GET, path) };
            let body = self.call(ask).await?.success()?;
            let page: Page = read(path, &body)?;
            for row in &page.data {
                for read in map(row.get()) {
                    match read {
                        Ok(row) => rows.push(row),
                        Err(hole) => holes.push(hole),
                    }
                }
            }
            cursor = page.next_cursor;
        }
        Ok((rows, holes))
    }
}
