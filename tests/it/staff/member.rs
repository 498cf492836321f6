//! A member of staff who does to the log whatever people do, at random, and remembers all of it.
//!
//! They go by what they see: a row is its Event ID, a column of theirs is the header that they gave it.
//! What they type into a row names that row, so that a row that is torn apart shows.

use std::collections::{BTreeMap, HashMap, HashSet};

use fake_google::FakeGoogle;

use crate::staff::{COLUMN_KEY, Cells};

const EVENT_ID: &str = "event_id";
const STATUS: &str = "status";
const STATUSES: [&str; 4] = ["Waiting", "Called back", "Reassigned", "Done"];
const OWN_COLUMNS_MAX: usize = 6;
const CHOICE: &str = "/dataValidation/condition/values/0/userEnteredValue";
const PATTERN: &str = "/userEnteredFormat/numberFormat/pattern";

/// One thing that people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    Sort,
    Filter,
    HideRows,
    RenameColumn,
    RenameTab,
    DeleteRows,
    AddColumn,
    InsertColumn,
    MoveColumn,
    Type,
    Tick,
    Note,
    Paint,
    ChangeStatus,
    ColourChips,
    SetDropdown,
    FormatNumbers,
    /// Convert to table, or back.
    Table,
}

pub(super) const EVERY_HABIT: &[Habit] = &[
    Habit::Sort,
    Habit::Filter,
    Habit::HideRows,
    Habit::RenameColumn,
    Habit::RenameTab,
    Habit::DeleteRows,
    Habit::AddColumn,
    Habit::Type,
    Habit::Tick,
    Habit::Note,
    Habit::Paint,
    Habit::ChangeStatus,
    Habit::ColourChips,
    Habit::SetDropdown,
    Habit::FormatNumbers,
    Habit::Table,
    Habit::InsertColumn,
    Habit::MoveColumn,
];

/// All but the last two.
pub(super) const HABITS_THAT_MOVE_NO_COLUMN: &[Habit] = EVERY_HABIT.split_at(16).0;

pub(super) struct Member {
    random: fastrand::Rng,
    habits: &'static [Habit],
    /// What the log tab is called now.
    tab: String,
    /// What our columns are called now, by their keys.
    labels: BTreeMap<String, String>,
    own: Vec<Own>,
    filter_views: Vec<String>,
    /// By Event ID.
    rows: HashMap<String, Marks>,
    deleted: HashSet<String>,
    is_table: bool,
    acts: usize,
}

/// A column of theirs.
struct Own {
    label: String,
    has_checkboxes: bool,
}

/// What they put on one row.
#[derive(Default)]
struct Marks {
    /// By the number of the column of theirs.
    typed: BTreeMap<usize, String>,
    ticked: HashSet<usize>,
    notes: BTreeMap<Place, String>,
    is_painted: bool,
    status: Option<String>,
    /// The colours of the choices of its status.
    chips: Option<String>,
    /// The choice of the dropdown that they gave a cell, be it in a column of ours.
    dropdowns: BTreeMap<Place, String>,
    /// The number format that they gave a cell of theirs, by the column's number.
    formats: BTreeMap<usize, String>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Ours(String),
    Own(usize),
}

impl Member {
    /// Opens the spreadsheet and looks at the log as it is.
    pub(super) fn new(seed: u64, habits: &'static [Habit], google: &FakeGoogle, tab: &str) -> Self {
        let header = google.row(tab, 0);
        let ours = google.columns_with(COLUMN_KEY).into_iter().filter(|(title, ..)| title == tab);
        Self {
            random: fastrand::Rng::with_seed(seed),
            habits,
            tab: tab.to_owned(),
            labels: ours.map(|(_, column, key)| (key, header[column].clone())).collect(),
            own: Vec::new(),
            filter_views: Vec::new(),
            rows: HashMap::new(),
            deleted: HashSet::new(),
            is_table: false,
            acts: 0,
        }
    }

    /// Does one thing.
    pub(super) fn act(&mut self, google: &FakeGoogle) {
        self.acts += 1;
        let habit = self.habits[self.random.usize(..self.habits.len())];
        match habit {
            Habit::Sort => self.sort(google),
            Habit::Filter => self.filter(google),
            Habit::HideRows => self.hide_rows(google),
            Habit::RenameColumn => self.rename_column(google),
            Habit::RenameTab => {
                let title = format!("Log {}", self.acts);
                google.staff().rename_tab(&self.tab, &title);
                self.tab = title;
            }
            Habit::DeleteRows => self.delete_rows(google),
            Habit::AddColumn => self.add_column(google, false),
            Habit::InsertColumn => self.add_column(google, true),
            Habit::MoveColumn => {
                let width = google.row(&self.tab, 0).len();
                let (from, to) = (self.random.usize(..width), self.random.usize(..width));
                google.staff().move_column(&self.tab, from, to);
            }
            Habit::Type => self.type_something(google),
            Habit::Tick => self.tick(google),
            Habit::Note => self.note(google),
            Habit::Paint => {
                let Some((row, id)) = self.some_row(google) else { return };
                let width = google.row(&self.tab, 0).len();
                google.staff().paint(&self.tab, row..row + 1, 0..width, (255, 242, 204));
                self.rows.entry(id).or_default().is_painted = true;
            }
            Habit::ChangeStatus => self.change_status(google),
            Habit::ColourChips => self.colour_chips(google),
            Habit::SetDropdown => self.set_dropdown(google),
            Habit::FormatNumbers => self.format_numbers(google),
            Habit::Table => {
                match self.is_table {
                    true => google.staff().revert_tables(&self.tab),
                    false => {
                        let name = format!("Table_{}", self.acts);
                        google.staff().make_table(&self.tab, &name, true);
                    }
                }
                self.is_table = !self.is_table;
            }
        }
    }

    /// Where our columns are, by their keys.
    fn ours(&self, google: &FakeGoogle) -> BTreeMap<String, usize> {
        let all = google.columns_with(COLUMN_KEY).into_iter();
        all.filter(|(tab, ..)| *tab == self.tab).map(|(_, column, key)| (key, column)).collect()
    }

    fn column(&self, google: &FakeGoogle, place: &Place) -> usize {
        match place {
            Place::Ours(key) => self.ours(google)[key],
            Place::Own(own) => {
                let label = &self.own[*own].label;
                google.row(&self.tab, 0).iter().position(|text| text == label).unwrap()
            }
        }
    }

    /// A row with an event in it: its place and its Event ID.
    fn some_row(&mut self, google: &FakeGoogle) -> Option<(usize, String)> {
        let count = google.row_count(&self.tab);
        if count < 2 {
            return None;
        }
        let row = self.random.usize(1..count);
        let column = *self.ours(google).get(EVENT_ID)?;
        let id = google.row(&self.tab, row).get(column).cloned()?;
        let is_id = id.rsplit_once('-').is_some_and(|(_, number)| number.parse::<u64>().is_ok());
        is_id.then_some((row, id))
    }

    fn some_place(&mut self) -> Place {
        let at = self.random.usize(..self.labels.len() + self.own.len());
        match self.labels.keys().nth(at) {
            Some(key) => Place::Ours(key.clone()),
            None => Place::Own(at - self.labels.len()),
        }
    }

    fn own_column(&mut self, with_checkboxes: bool) -> Option<usize> {
        let fitting = self.own.iter().enumerate();
        let fitting = fitting.filter(|(_, own)| own.has_checkboxes == with_checkboxes);
        let fitting: Vec<usize> = fitting.map(|(at, _)| at).collect();
        self.random.choice(fitting)
    }

    fn sort(&mut self, google: &FakeGoogle) {
        let place = self.some_place();
        google.staff().sort(&self.tab, self.column(google, &place));
    }

    fn filter(&mut self, google: &FakeGoogle) {
        let place = self.some_place();
        let column = self.column(google, &place);
        let staff = google.staff();
        match self.random.u8(..4) {
            0 => staff.basic_filter(&self.tab),
            1 => staff.clear_filter(&self.tab),
            2 => {
                let name = format!("View {}", self.acts);
                staff.add_filter_view(&self.tab, &name);
                self.filter_views.push(name);
            }
            _ => {
                let Some((row, _)) = self.some_row(google) else { return };
                let value = google.row(&self.tab, row).get(column).cloned().unwrap_or_default();
                staff.filter_out(&self.tab, column, &[&value]);
            }
        }
    }

    fn hide_rows(&mut self, google: &FakeGoogle) {
        let Some((row, _)) = self.some_row(google) else { return };
        if self.random.bool() {
            google.staff().hide_rows(&self.tab, row..row + 5);
        } else {
            google.staff().show_rows(&self.tab, row..row + 5);
        }
    }

    fn rename_column(&mut self, google: &FakeGoogle) {
        let place = self.some_place();
        let column = self.column(google, &place);
        let label = format!("Column {}", self.acts);
        google.staff().rename_header(&self.tab, column, &label);
        match place {
            Place::Ours(key) => drop(self.labels.insert(key, label)),
            Place::Own(own) => self.own[own].label = label,
        }
    }

    fn delete_rows(&mut self, google: &FakeGoogle) {
        let count = 1 + self.random.usize(..3);
        let picked: Vec<(usize, String)> =
            (0..count).filter_map(|_| self.some_row(google)).collect();
        let rows: Vec<usize> = picked.iter().map(|(row, _)| *row).collect();
        google.staff().delete_rows(&self.tab, &rows);
        for (_, id) in picked {
            self.rows.remove(&id);
            self.deleted.insert(id);
        }
    }

    /// Adds a column of theirs, right of all others or anywhere.
    fn add_column(&mut self, google: &FakeGoogle, anywhere: bool) {
        if self.own.len() == OWN_COLUMNS_MAX {
            return;
        }
        let has_checkboxes = self.own.len() % 2 == 1;
        let label = format!("Mine {}", self.acts);
        let width = google.row(&self.tab, 0).len();
        let at = if anywhere { self.random.usize(..=width) } else { width };
        google.staff().insert_column(&self.tab, at, &label);
        if has_checkboxes {
            google.staff().set_checkboxes(&self.tab, 1..google.row_count(&self.tab), at);
        }
        self.own.push(Own { label, has_checkboxes });
    }

    /// Types into a cell of theirs that is blank or holds what they typed before.
    fn type_something(&mut self, google: &FakeGoogle) {
        let Some(own) = self.own_column(false) else { return };
        let Some((row, id)) = self.some_row(google) else { return };
        let column = self.column(google, &Place::Own(own));
        let found = google.row(&self.tab, row).get(column).cloned().unwrap_or_default();
        if found.is_empty() || found.ends_with(&id) {
            let text = format!("note {} on {id}", self.acts);
            google.staff().set_cell(&self.tab, row, column, &text);
            self.rows.entry(id).or_default().typed.insert(own, text);
        }
    }

    fn tick(&mut self, google: &FakeGoogle) {
        let Some(own) = self.own_column(true) else { return };
        let Some((row, id)) = self.some_row(google) else { return };
        let column = self.column(google, &Place::Own(own));
        let cell = google.cell(&self.tab, row, column);
        if cell["dataValidation"]["condition"]["type"] == "BOOLEAN" {
            google.staff().tick(&self.tab, row, column);
            self.rows.entry(id).or_default().ticked.insert(own);
        }
    }

    fn note(&mut self, google: &FakeGoogle) {
        let place = self.some_place();
        let Some((row, id)) = self.some_row(google) else { return };
        let text = format!("remark {} on {id}", self.acts);
        google.staff().set_note(&self.tab, row, self.column(google, &place), &text);
        self.rows.entry(id).or_default().notes.insert(place, text);
    }

    fn change_status(&mut self, google: &FakeGoogle) {
        let Some(column) = self.ours(google).get(STATUS).copied() else { return };
        let Some((row, id)) = self.some_row(google) else { return };
        let found = google.row(&self.tab, row).get(column).cloned().unwrap_or_default();
        if STATUSES.contains(&found.as_str()) {
            let status = STATUSES[self.random.usize(..STATUSES.len())];
            google.staff().set_cell(&self.tab, row, column, status);
            self.rows.entry(id).or_default().status = Some(status.to_owned());
        }
    }

    fn colour_chips(&mut self, google: &FakeGoogle) {
        let Some(column) = self.ours(google).get(STATUS).copied() else { return };
        let Some((row, id)) = self.some_row(google) else { return };
        // Below the rows that the tab had nobody knows whether there is a dropdown.
        if google.cell(&self.tab, row, column).get("dataValidation").is_some() {
            let name = format!("Colours {}", self.acts);
            google.staff().colour_chips(&self.tab, row..row + 1, column, &name);
            self.rows.entry(id).or_default().chips = Some(name);
        }
    }

    /// Gives a cell a dropdown of their own, in a column of theirs or of ours.
    fn set_dropdown(&mut self, google: &FakeGoogle) {
        let place = self.some_place();
        if matches!(&place, Place::Own(own) if self.own[*own].has_checkboxes) {
            return;
        }
        let Some((row, id)) = self.some_row(google) else { return };
        let (column, choice) = (self.column(google, &place), format!("Choice {}", self.acts));
        google.staff().set_dropdown(&self.tab, row..row + 1, column, &[&choice]);
        self.rows.entry(id).or_default().dropdowns.insert(place, choice);
    }

    fn format_numbers(&mut self, google: &FakeGoogle) {
        let Some(own) = self.own_column(false) else { return };
        let Some((row, id)) = self.some_row(google) else { return };
        let column = self.column(google, &Place::Own(own));
        let pattern = format!("0.0 \"in {}\"", self.acts);
        google.staff().format_numbers(&self.tab, row..row + 1, column, "NUMBER", &pattern);
        self.rows.entry(id).or_default().formats.insert(own, pattern);
    }

    /// Every event is one whole row in our columns, and everything of theirs stands where they put it.
    #[track_caller]
    pub(super) fn expect_all(&self, google: &FakeGoogle, sent: &HashMap<String, Cells>) {
        self.expect_header(google);
        let (ours, rows) = (self.ours(google), google.rows(&self.tab));
        let places = (0..self.own.len()).map(Place::Own);
        let own: Vec<usize> = places.map(|place| self.column(google, &place)).collect();
        let mut seen = HashSet::new();
        for (at, row) in rows.iter().enumerate().skip(1) {
            let cell = |column: usize| row.get(column).map_or("", String::as_str);
            let id = cell(ours[EVENT_ID]);
            let cells = sent.get(id).unwrap_or_else(|| panic!("row {at} is no event's: {row:?}"));
            assert!(seen.insert(id), "{id} has two rows");
            assert!(!self.deleted.contains(id), "{id} was deleted and came back");
            for (key, column) in &ours {
                let status = self.rows.get(id).and_then(|marks| marks.status.as_deref());
                let expected = match cells.get(key.as_str()) {
                    Some(text) => text,
                    None if key == STATUS => status.unwrap_or(STATUSES[0]),
                    None => panic!("nobody said what `{key}` holds"),
                };
                assert_eq!(cell(*column), expected, "`{key}` of {id}");
            }
            let marks = self.rows.get(id);
            self.expect_own(&own, at, row, marks);
            self.expect_dress(google, at, marks);
        }
        let lost: Vec<_> = sent
            .keys()
            .filter(|id| !seen.contains(id.as_str()) && !self.deleted.contains(*id))
            .collect();
        assert!(lost.is_empty(), "{} rows are lost: {lost:?}", lost.len());
    }

    #[track_caller]
    fn expect_header(&self, google: &FakeGoogle) {
        let header = google.row(&self.tab, 0);
        let count = |label: &String| header.iter().filter(|text| *text == label).count();
        for (key, column) in self.ours(google) {
            assert_eq!(header[column], self.labels[&key], "the header of `{key}`");
        }
        let labels = self.labels.values().chain(self.own.iter().map(|own| &own.label));
        for label in labels {
            assert_eq!(count(label), 1, "`{label}` in {header:?}");
        }
        assert_eq!(header.len(), self.labels.len() + self.own.len(), "{header:?}");
        assert_eq!(google.filter_views(&self.tab), self.filter_views);
    }

    /// What they typed and ticked in this row, and nothing else in their columns.
    #[track_caller]
    fn expect_own(&self, columns: &[usize], at: usize, row: &[String], marks: Option<&Marks>) {
        for (number, (own, column)) in self.own.iter().zip(columns).enumerate() {
            let found = row.get(*column).map_or("", String::as_str);
            if own.has_checkboxes {
                let is_ticked = marks.is_some_and(|marks| marks.ticked.contains(&number));
                assert_eq!(found == "TRUE", is_ticked, "a tick in row {at}: {row:?}");
                assert!(["TRUE", "FALSE", ""].contains(&found), "`{found}` in row {at}");
            } else {
                let typed = marks.and_then(|marks| marks.typed.get(&number));
                assert_eq!(found, typed.map_or("", String::as_str), "what they typed in row {at}");
            }
        }
    }

    /// The dropdowns, their colours and the number formats that they gave this row.
    #[track_caller]
    fn expect_rules(&self, google: &FakeGoogle, at: usize, marks: &Marks) {
        if let Some(column) = self.ours(google).get(STATUS).filter(|_| marks.chips.is_some()) {
            assert_eq!(google.chip_colours(&self.tab, at, *column), marks.chips, "in row {at}");
        }
        let cell = |place: &Place| google.cell(&self.tab, at, self.column(google, place));
        for (place, choice) in &marks.dropdowns {
            let found = cell(place).pointer(CHOICE).cloned();
            assert_eq!(found, Some(choice.as_str().into()), "a dropdown in row {at}");
        }
        for (own, pattern) in &marks.formats {
            let found = cell(&Place::Own(*own)).pointer(PATTERN).cloned();
            assert_eq!(found, Some(pattern.as_str().into()), "a format in row {at}");
        }
    }

    /// The notes and the colour that they gave this row.
    #[track_caller]
    fn expect_dress(&self, google: &FakeGoogle, at: usize, marks: Option<&Marks>) {
        let Some(marks) = marks else { return };
        self.expect_rules(google, at, marks);
        for (place, note) in &marks.notes {
            let cell = google.cell(&self.tab, at, self.column(google, place));
            assert_eq!(cell["note"], note.as_str(), "a note in row {at}");
        }
        let is_painted = |key: &str| {
            let cell = google.cell(&self.tab, at, self.ours(google)[key]);
            !cell["userEnteredFormat"]["backgroundColorStyle"].is_null()
        };
        if marks.is_painted {
            assert!(is_painted(EVENT_ID) && is_painted("unassigned_at"), "the colour of row {at}");
        }
    }

    /// How many rows they deleted, and how many bear something of theirs.
    pub(super) fn traces(&self) -> (usize, usize) {
        (self.deleted.len(), self.rows.len())
    }
}
