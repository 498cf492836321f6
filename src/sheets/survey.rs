//! Looking at the spreadsheet: where our tabs are, and what to set up first where they are not.

use std::time::{Duration, Instant};

use crate::sheets::client::Client;
use crate::sheets::column::Purpose;
use crate::sheets::layout::{
    Binder, COLUMN_KEY, Decision, Layout, TAB_KEY, TabAt, Unmade, Wanted, WantedTab, bind, decide,
    others,
};
use crate::sheets::outcome::{Survey, Trouble};
use crate::sheets::setup::{Setup, Shading};
use crate::sheets::wire::{Binding, Spreadsheet};
use crate::sheets::{column_letters, setup};

/// How long the first half of a survey is good for, where the other half fails and is tried again.
const KEPT: Duration = Duration::from_secs(30);

/// Rows that are read at first to see whether a tab is empty, and cells that are read then at a time.
const ROWS_FIRST: u32 = 100;
const CELLS_A_CALL: u32 = 100_000;

/// What a tab that is not ours yet turns out to be.
enum Unbound {
    Ours(Setup),
    /// It holds something else; the sentence says what to do.
    Foreign(String),
}

impl Client {
    /// Looks where our tabs and their columns are.
    ///
    /// # Errors
    /// [`Trouble::Operator`] also where a tab of a log's title holds something else. Another tab that
    /// does is left out: the log does not wait for it.
    pub async fn survey(&self, wanted: &Wanted, shading: Shading) -> Result<Survey, Trouble> {
        let kept = self.kept().take();
        let (spreadsheet, read_at) = match kept {
            Some((kept, read_at)) if read_at.elapsed() < KEPT => (kept, read_at),
            _ => (self.spreadsheet().await?, Instant::now()),
        };
        let bindings = match self.bindings().await {
            Ok(bindings) => bindings,
            Err(trouble) => {
                *self.kept() = Some((spreadsheet, read_at));
                return Err(trouble);
            }
        };
        let own_zone = spreadsheet.properties.time_zone.clone();
        let mut layout = Layout {
            time_zone: wanted.time_zone.clone().unwrap_or_else(|| own_zone.clone()),
            own_zone,
            cells: spreadsheet.cells(),
            bindings,
            ..Layout::default()
        };
        let mut lacking = Vec::new();
        for tab in &wanted.tabs {
            let found = match decide(&spreadsheet, &layout.bindings, tab) {
                Decision::Ready(found) => {
                    layout.tabs.push(found);
                    continue;
                }
                decision if tab.purpose.can_wait() => {
                    let at = match decision {
                        Decision::ReadHeader(at) => Some(at),
                        _ => None,
                    };
                    layout.unmade = Some(Unmade { wanted: tab.clone(), at });
                    continue;
                }
                Decision::Make => {
                    lacking.push(tab);
                    continue;
                }
                Decision::ReadHeader(at) => self.read_header(tab, &at).await?,
            };
            match found {
                Unbound::Ours(setup) => return Ok(Survey::Setup(setup)),
                Unbound::Foreign(advice) if tab.purpose == Purpose::Log => {
                    return Err(Trouble::Operator(advice));
                }
                Unbound::Foreign(advice) => layout.left_out.push(advice),
            }
        }
        layout.others = others(&spreadsheet, &layout.bindings, &layout.tabs);
        // A log first and alone: it does not wait for what Google may say of the others.
        let logs: Vec<&WantedTab> =
            lacking.iter().copied().filter(|tab| tab.purpose == Purpose::Log).collect();
        Ok(match (logs.is_empty(), lacking.is_empty()) {
            (false, _) => Survey::Setup(setup::make(&logs, shading)),
            (true, false) => Survey::Setup(setup::make(&lacking, shading)),
            (true, true) => Survey::Ready(layout),
        })
    }

    /// How to make or bind a tab that nothing waits for.
    ///
    /// # Errors
    /// [`Trouble::Operator`] also where a tab of its title holds something else.
    pub async fn setup_of(&self, unmade: &Unmade, shading: Shading) -> Result<Setup, Trouble> {
        let Unmade { wanted, at } = unmade;
        let Some(at) = at else { return Ok(setup::make(&[wanted], shading)) };
        match self.read_header(wanted, at).await? {
            Unbound::Ours(setup) => Ok(setup),
            Unbound::Foreign(advice) => Err(Trouble::Operator(advice)),
        }
    }

    pub(super) async fn spreadsheet(&self) -> Result<Spreadsheet, Trouble> {
        let fields = [(
            "fields",
            "spreadsheetId,properties(title,timeZone),\
             sheets(properties(sheetId,title,sheetType,gridProperties(rowCount,columnCount)),\
             tables.range(startColumnIndex,endColumnIndex))",
        )];
        self.parsed(self.read("spreadsheet", "", &fields).await)
    }

    /// Whether our tabs and their columns still are where this layout has them: one call, where a survey
    /// takes two or more.
    ///
    /// # Errors
    /// [`Trouble`].
    pub async fn is_as_before(&self, layout: &Layout) -> Result<bool, Trouble> {
        let (now, before) = (self.bindings().await?, &layout.bindings);
        Ok(now.len() == before.len() && now.iter().all(|binding| before.contains(binding)))
    }

    async fn bindings(&self) -> Result<Vec<Binding>, Trouble> {
        self.search(&[TAB_KEY, COLUMN_KEY]).await
    }

    /// A tab that nobody bound, or one of ours that lost all its columns.
    async fn read_header(&self, wanted: &WantedTab, tab: &TabAt) -> Result<Unbound, Trouble> {
        let setting = match wanted.purpose {
            Purpose::Log => ", or set SHEET_NAME to another title",
            Purpose::Board => ", or set BOARD_NAME to another title",
            Purpose::Summary => ", or set SUMMARY_NAME to another title or to nothing",
            Purpose::Handovers => "",
        };
        let foreign = Unbound::Foreign(format!(
            "the tab `{}` holds something else: rename it{setting}",
            tab.title
        ));
        if !tab.has_cells {
            return Ok(foreign);
        }
        let row = wanted.purpose.header_row() + 1;
        let header = self.values(&tab.title, &format!("{row}:{row}"), "ROWS").await?;
        let header = header.into_iter().next().unwrap_or_default();
        // A tab that is ours and lost all its columns gets them anew beside what is there.
        let is_bound = tab.bound_by.is_some();
        let binder = bind(wanted.purpose, &header)
            .or_else(|| is_bound.then(|| Binder::beside(wanted.purpose, &header)));
        let Some(binder) = binder else { return Ok(foreign) };
        let is_taken = is_bound
            || match wanted.purpose {
                // Its lines are cleared: so only one that has all its labels, or nothing at all.
                Purpose::Board | Purpose::Summary => {
                    binder.added.is_empty() || self.is_empty(tab).await?
                }
                // Where the first row is blank, somebody's table may begin below it.
                _ => !binder.found.is_empty() || self.is_empty(tab).await?,
            };
        Ok(match is_taken {
            true => Unbound::Ours(setup::bind(wanted, tab, &binder)),
            false => foreign,
        })
    }

    /// Whether a tab has nothing in any cell. Read from the top, a little at first, until something is
    /// found: a tab may be larger than the memory of this machine.
    async fn is_empty(&self, tab: &TabAt) -> Result<bool, Trouble> {
        let letters = column_letters(tab.column_count.saturating_sub(1));
        let (mut first, mut rows) = (1, ROWS_FIRST);
        while first <= tab.row_count {
            let last = first.saturating_add(rows - 1).min(tab.row_count);
            let range = format!("A{first}:{letters}{last}");
            let found = self.values(&tab.title, &range, "ROWS").await?;
            if !found.iter().flatten().all(String::is_empty) {
                return Ok(false);
            }
            first = last.saturating_add(1);
            rows = (CELLS_A_CALL / tab.column_count.max(1)).max(ROWS_FIRST);
        }
        Ok(true)
    }
}
