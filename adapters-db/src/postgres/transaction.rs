//! A transaction of a server, on which the statements run that SQLite understands too.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ports::{DatabaseTrouble, ServerTrouble, StoreError};
use rusqlite::types::Value;

use super::catalogue::{Catalogue, mark_scrub};
use super::connection::Opened;
use super::session::{Ask, Rows, settings};
use super::target::Target;
use crate::content::Content;
use crate::defect::defect;
use crate::schema::APPLIED;
use crate::sql::{Param, Sql, Tables};

/// What a transaction may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Access {
    Read,
    Write,
}

impl Access {
    /// How it is begun.
    fn begin(self, target: &Target) -> Vec<Ask> {
        let begin = match self {
            Self::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Self::Write => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        };
        vec![begin.into(), settings(target)]
    }
}

/// The transaction. It ends with its connection, unless it is committed.
pub(super) struct Transaction<'a> {
    pub(super) opened: &'a Opened,
    pub(super) catalogue: Catalogue,
    /// How it still has to be begun.
    begin: Vec<Ask>,
    /// The migration history, once it was asked for.
    pub(super) applied: Rows,
    /// What was asked in one round trip before it is needed.
    ahead: BTreeMap<&'static str, Rows>,
    is_over: bool,
    /// What is sent with what is asked next.
    pending: RefCell<Vec<Ask>>,
}

impl<'a> Transaction<'a> {
    /// Begins one and looks what stands in the schema. Each of `locks` comes before that, and answers
    /// whether it is held.
    pub(super) fn begin(
        opened: &'a Opened,
        access: Access,
        locks: &[Ask],
    ) -> Result<Self, StoreError> {
        let mut asks = access.begin(&opened.target);
        let before = asks.len();
        asks.extend_from_slice(locks);
        asks.extend(Catalogue::ask(&opened.target));
        let mut answers = opened.ask(&asks)?;
        let rights = answers.pop().unwrap_or_default();
        let relations = answers.pop().unwrap_or_default();
        let is_held = |rows: &Rows| matches!(rows.as_slice(), [row] if *row == [Value::Integer(1)]);
        if !answers.iter().skip(before).all(is_held) {
            let path = opened.target.name();
            return Err(StoreError::LockLost { path });
        }
        let catalogue = Catalogue::of(relations, &rights);
        if !catalogue.may_use {
            let (user, schema) = (opened.target.address.user.clone(), &opened.target.schema);
            return Err(StoreError::Failed {
                path: opened.target.name(),
                doing: opened.doing,
                source: format!("{user} may not use the schema {}", schema.as_str()).into(),
                trouble: DatabaseTrouble::Server(ServerTrouble::NoRight { user }),
            });
        }
        opened.seen.replace(Some(catalogue.clone()));
        Ok(Self::of(opened, catalogue, Vec::new()))
    }

    /// The same for a session that has looked already; it is begun with what is asked first.
    pub(super) fn begin_again(opened: &'a Opened, access: Access) -> Result<Self, StoreError> {
        let seen = opened.seen.borrow().clone();
        match seen {
            Some(catalogue) => Ok(Self::of(opened, catalogue, access.begin(&opened.target))),
            None => Self::begin(opened, access, &[]),
        }
    }

    fn of(opened: &'a Opened, catalogue: Catalogue, begin: Vec<Ask>) -> Self {
        Self {
            opened,
            catalogue,
            begin,
            applied: Rows::new(),
            ahead: BTreeMap::new(),
            is_over: false,
            pending: RefCell::default(),
        }
    }

    /// How far the schema is migrated. `first` is asked before that.
    pub(super) fn identify(&mut self, first: &[Ask]) -> Result<Content, StoreError> {
        self.identify_with(first, &[], &[])
            .map(|(content, _)| content)
    }

    /// The same for what reads nothing but what `statements` names. Where the schema is the one of this
    /// program, all is asked ahead, with the end of the transaction: one round trip.
    pub(super) fn read_ahead(
        &mut self,
        statements: impl Fn(&Tables<'_>) -> Result<Vec<&'static str>, StoreError>,
    ) -> Result<Content, StoreError> {
        if !self.catalogue.is_made_by(&self.opened.newest) {
            return self.identify(&[]);
        }
        let statements = statements(&self.tables())?;
        let (content, answers) = self.identify_with(&[], &statements, &["COMMIT".into()])?;
        self.ahead = statements.into_iter().zip(answers).collect();
        self.is_over = true;
        Ok(content)
    }

    /// The same, with the answers to all but the migration history.
    pub(super) fn identify_with(
        &mut self,
        first: &[Ask],
        ahead: &[&'static str],
        last: &[Ask],
    ) -> Result<(Content, Vec<Rows>), StoreError> {
        let target = &self.opened.target;
        let has_history = self.catalogue.has_history(target)?;
        let mut asks = std::mem::take(&mut self.begin);
        let before = asks.len();
        asks.extend_from_slice(first);
        if has_history {
            asks.push(APPLIED.into());
        }
        asks.extend(ahead.iter().map(|sql| Ask::from(*sql)));
        asks.extend_from_slice(last);
        let mut answers = match asks.is_empty() {
            true => Vec::new(),
            false => self.opened.ask(&asks)?.split_off(before),
        };
        if !has_history {
            return Ok((Content::Nothing, answers));
        }
        self.applied = answers.remove(first.len());
        let content = self
            .catalogue
            .identify(target, &self.applied, &self.opened.newest)?;
        self.opened.content.set(Some(content));
        Ok((content, answers))
    }

    /// The tables, as the statements that SQLite understands too see them.
    pub(super) fn tables(&self) -> Tables<'_> {
        Tables::new(&self.opened.name, self)
    }

    /// Carries out statements without parameters or rows, as many as there are in the text.
    pub(super) fn run(&self, sql: &str) -> Result<(), StoreError> {
        self.opened.run(sql)
    }

    /// Ends a transaction that only read.
    pub(super) fn end(self) -> Result<(), StoreError> {
        match self.is_over {
            true => Ok(()),
            false => self.opened.ask(&["COMMIT".into()]).map(drop),
        }
    }

    /// What is left to be sent before the commit.
    pub(super) fn into_pending(self) -> Vec<Ask> {
        self.pending.into_inner()
    }
}

/// The parameters, with nothing borrowed.
fn owned(params: &[Param<'_>]) -> Vec<Value> {
    let owned = params.iter().map(|param| match param {
        Param::Null => Value::Null,
        Param::Integer(number) => Value::Integer(*number),
        Param::Text(text) => Value::Text(text.to_string()),
        Param::Bytes(bytes) => Value::Blob(bytes.to_vec()),
    });
    owned.collect()
}

impl Sql for Transaction<'_> {
    fn rows(
        &self,
        _doing: &'static str,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        if let Some(rows) = self.ahead.get(sql) {
            return Ok(rows.clone());
        }
        if self.is_over {
            return Err(defect(format!("this was not asked ahead: {sql}"), None));
        }
        let mut asks = self.pending.take();
        asks.push(Ask::new(sql, owned(params)));
        Ok(self.opened.ask(&asks)?.pop().unwrap_or_default())
    }

    fn execute(
        &self,
        _doing: &'static str,
        sql: &str,
        params: &[Param<'_>],
    ) -> Result<(), StoreError> {
        self.pending.borrow_mut().push(Ask::new(sql, owned(params)));
        Ok(())
    }

    fn has_column(&self, table: &str, column: &str) -> Result<bool, StoreError> {
        Ok(self.catalogue.has_column(table, column))
    }

    fn mark_scrub(&self) -> Result<(), StoreError> {
        self.pending
            .borrow_mut()
            .push(mark_scrub(&self.opened.target));
        Ok(())
    }

    fn is_scrub_due(&self) -> Result<bool, StoreError> {
        Ok(self.catalogue.is_scrub_due())
    }
}
