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
    /// Reads every page of a list and maps every row; the first row for which `map` has no answer fails the whole list, because a
    /// list with holes that it does not name would look complete.
    pub(super) async fn pages<T>(
        &self,
        path: &str,
        query: &[(&str, &str)],
        map: impl Fn(&str) -> Result<Vec<T>, VenueError> + Send,
    ) -> Result<Vec<T>, VenueError>
    where
        T: Send,
    {
        let (mut rows, mut cursor, mut seen) = (Vec::new(), FIRST.to_owned(), HashSet::new());
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
                rows.extend(map(row.get())?);
            }
            cursor = page.next_cursor;
        }
        Ok(rows)
    }
}
