//! Room for idempotency keys: a bucket for each tenant, so that no request counts the rows that are kept.

use crate::Hub;
use rollcall_core::ids::TenantId;
use rollcall_runtime::{Cache, Rate};
use rollcall_store::StoreError;

/// Keys of one tenant at once, and in a day after that. Their answers are kept for a day, so there are at most twice as many.
const KEYS: u32 = 10_000;
const RATE: Rate = Rate { per_second: 10_000.0 / 86_400.0, burst: KEYS };

impl Hub {
    /// Takes the room of one more key of a tenant.
    ///
    /// # Errors
    /// [`StoreError::Busy`].
    pub async fn room_for_key(&self, tenant: TenantId) -> Result<(), StoreError> {
        room(&self.cache, tenant).await
    }
}

async fn room(cache: &Cache, tenant: TenantId) -> Result<(), StoreError> {
    let decision = cache.rate_limit(&format!("idempotency:{tenant}"), RATE).await;
    if decision.allowed {
        return Ok(());
    }
    let limit = format!("this tenant used {KEYS} idempotency keys: send requests without one, or fewer");
    Err(StoreError::Busy { limit, retry_after: decision.retry_after })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_core::clock::Clock;

    #[tokio::test(start_paused = true)]
    async fn a_tenant_has_ten_thousand_keys_and_takes_no_other_tenants() {
        let (cache, tenant) = (Cache::in_process(), Clock::System.new_id());
        for key in 0..KEYS {
            assert!(room(&cache, tenant).await.is_ok(), "{key}");
        }
        let refused = room(&cache, tenant).await;
        let Err(StoreError::Busy { limit, retry_after }) = refused else { panic!("{refused:?}") };
        assert!(limit.contains("10000 idempotency keys"), "{limit}");
        assert!(room(&cache, Clock::System.new_id()).await.is_ok());
        tokio::time::advance(retry_after).await;
        assert!(room(&cache, tenant).await.is_ok(), "one more is free");
    }
}
