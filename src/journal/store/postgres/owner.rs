//! What is kept for whoever owns the lease, and of who shares the journal: the lease itself, the instances,
//! the turns to write, and the markers that fence off owners of before.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error};

use crate::journal::store::Changes;
use crate::journal::store::postgres::column::CLOCK;
use crate::journal::store::postgres::fence;

/// Whether there is nothing of that kind.
pub(super) fn is_empty(changes: &Changes) -> bool {
    let Changes { fences, fences_until, sent, sent_kept, lease, report, .. } = changes;
    let is_fenced = !fences.is_empty() || fences_until.is_some();
    let is_sent = !sent.is_empty() || sent_kept.is_some();
    let is_owned = lease.is_some() || report.is_some() || changes.instances_until.is_some();
    !is_fenced && !is_sent && !is_owned
}

pub(super) async fn all(client: &Client, changes: &Changes) -> Result<(), Error> {
    if let Some(until) = changes.fences_until {
        let sql = "DELETE FROM doubletick_sheets.fence WHERE NOT is_open AND at < $1";
        client.execute_typed(sql, &[(&until.0, Type::INT8)]).await?;
    }
    for (marker_id, fence) in &changes.fences {
        fence::put(client, *marker_id, fence.as_ref()).await?;
    }
    if let Some((since, until)) = changes.sent_kept {
        let old = "DELETE FROM doubletick_sheets.sent WHERE at < $1 OR at > $2";
        client.execute_typed(old, &[(&since.0, Type::INT8), (&until.0, Type::INT8)]).await?;
    }
    if !changes.sent.is_empty() {
        let times: Vec<i64> = changes.sent.iter().map(|at| at.0).collect();
        let sql = "INSERT INTO doubletick_sheets.sent (at) SELECT unnest($1)";
        client.execute_typed(sql, &[(&times, Type::INT8_ARRAY)]).await?;
    }
    if let Some(lease) = &changes.lease {
        let epoch = lease.epoch.cast_signed();
        let sql = "UPDATE doubletick_sheets.lease SET owner = $1, epoch = $2, until = $3";
        let values: [(&(dyn ToSql + Sync), Type); 3] =
            [(&lease.owner, Type::TEXT), (&epoch, Type::INT8), (&lease.until.0, Type::INT8)];
        client.execute_typed(sql, &values).await?;
    }
    if let Some((instance, report)) = &changes.report {
        let sql = format!(
            "INSERT INTO doubletick_sheets.instance (id, committed, seen_at, report)
             VALUES ($1, 0, {CLOCK}, $2) ON CONFLICT (id) DO UPDATE SET report = excluded.report"
        );
        let values: [(&(dyn ToSql + Sync), Type); 2] =
            [(&&**instance, Type::TEXT), (report, Type::TEXT)];
        client.execute_typed(&sql, &values).await?;
    }
    if let Some(before) = changes.instances_until {
        let sql = "DELETE FROM doubletick_sheets.instance WHERE seen_at < $1";
        client.execute_typed(sql, &[(&before.0, Type::INT8)]).await?;
    }
    Ok(())
}
