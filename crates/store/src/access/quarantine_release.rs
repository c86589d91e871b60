//! The release of a source from quarantine by an admin (PE9). The start of a quarantine is `reconcile/apply/quarantine.rs`.

use crate::access::sources::without_quarantine;
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::entity::sources;
use crate::scope::AdminScope;
use rollcall_core::event::{Event, SourceReleased};
use rollcall_core::ids::SourceId;

impl Store {
    /// Ends a quarantine: what was held is planned again, under the guards, and not quarantined for within the window of the
    /// removal limit (PE9).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the source is not quarantined.
    #[tracing::instrument(name = "store.sources.release_source", skip_all)]
    pub async fn release_source(&self, scope: &AdminScope, id: SourceId) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.stop_the_planning().await?;
        let source = tx.source_row(id).await?;
        let Some(since) = source.quarantined_at else {
            return Err(StoreError::Conflict("the source is not quarantined".into()));
        };
        let released = without_quarantine(tx.update_source(id));
        released.set(sources::Column::QuarantineReleasedAt, tx.clock.now()).exec().await?;
        tx.touch_withheld().await?;
        let event = Event::SourceReleased(id, SourceReleased { since, reason: source.quarantine_reason });
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit_and_wake(()).await
    }
}
