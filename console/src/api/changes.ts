import type { InfiniteData, QueryClient } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';

/** Pages that are worked out from several lists: any change may concern them. */
const DERIVED = ['overview', 'explain', 'skipped-records', 'promotion'];
const stale = new Set<string>();
const listeners = new Set<() => void>();
const tell = () => {
  for (const listener of listeners) listener();
};

/** True when a list of which several pages are shown has changed since. Such a list is not read anew under its reader. */
export function useIsStale(key: readonly unknown[]) {
  const name = JSON.stringify(key);
  const subscribe = (listener: () => void) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  };
  return useSyncExternalStore(subscribe, () => stale.has(name));
}
export function freshen(client: QueryClient, key: readonly unknown[]) {
  stale.delete(JSON.stringify(key));
  tell();
  return client.resetQueries({ queryKey: key });
}

/** Lists under a reader's eyes say that there is news, and do not move. */
const ANNOUNCED = ['audit-events'];
export function changed(client: QueryClient, lists: readonly string[]) {
  const touched = new Set([...lists, ...DERIVED]);
  for (const query of client.getQueryCache().findAll({ predicate: ({ queryKey }) => touched.has(String(queryKey[0])) })) {
    const pages = (query.state.data as InfiniteData<unknown> | undefined)?.pages?.length ?? 0;
    if (pages > 1 || (pages > 0 && ANNOUNCED.includes(String(query.queryKey[0])))) {
      stale.add(JSON.stringify(query.queryKey));
    } else {
      void client.invalidateQueries({ queryKey: query.queryKey, exact: true });
    }
  }
  tell();
}

const isOnePage = ({ queryKey, state }: { queryKey: readonly unknown[]; state: { data: unknown } }) =>
  queryKey[0] !== 'run-items' && ((state.data as InfiniteData<unknown> | undefined)?.pages?.length ?? 0) <= 1;

/** Follows `GET /changes` while the page is seen; without a stream the page looks every 30 seconds. */
export function follow(client: QueryClient) {
  let source: EventSource | null = null;
  let timer = 0;
  let first = 0;
  const poll = () => void client.invalidateQueries({ predicate: ({ queryKey }) => DERIVED.includes(String(queryKey[0])) });
  const open = () => {
    if (source || document.hidden) return;
    source = new EventSource('/api/v1/changes');
    // A change between the reading of the page and the beginning of the stream is told by nobody.
    source.onopen = () => void client.invalidateQueries({ refetchType: 'active', predicate: isOnePage });
    source.addEventListener('changed', (event) => changed(client, JSON.parse(event.data).lists));
    source.addEventListener('end', (event) => {
      close();
      if (JSON.parse(event.data).reason === 'credential') void client.invalidateQueries({ queryKey: ['sessions', 'own'] });
      else window.setTimeout(open, 1000);
    });
  };
  const close = () => {
    source?.close();
    source = null;
  };
  const seen = () => (document.hidden ? close() : open());
  const begin = () => {
    // A session has ten streams, and the hub learns late of those that a reload left behind.
    first = window.setTimeout(open, 1000);
    timer = window.setInterval(() => {
      if (document.hidden || source?.readyState === EventSource.OPEN) return;
      if (source?.readyState === EventSource.CLOSED) close();
      open();
      poll();
    }, 30_000);
    document.addEventListener('visibilitychange', seen);
  };
  begin();
  return () => {
    close();
    window.clearTimeout(first);
    window.clearInterval(timer);
    document.removeEventListener('visibilitychange', seen);
  };
}
