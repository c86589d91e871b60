import { infiniteQueryOptions, QueryClient, queryOptions } from '@tanstack/react-query';
import { ApiError, hub, ok, read, type Schemas } from './client';

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      // Only what passes by itself is tried again.
      retry: (count, error) => count < 2 && error instanceof ApiError && (error.status === 503 || error.code === 'offline'),
      retryDelay: (count, error) =>
        error instanceof ApiError && error.retryAfter ? Math.min(error.retryAfter, 5) * 1000 : 500 * 2 ** count,
      refetchOnWindowFocus: true,
    },
  },
});

const PAGE = 200;
type ListOf<T> = { items: T[]; next_cursor?: string | null };

/** A list that is read page by page. Its key begins with the name that `GET /changes` tells. */
function pages<T>(key: readonly unknown[], page: (cursor: string | undefined, signal: AbortSignal) => Promise<ListOf<T>>) {
  return infiniteQueryOptions({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => page(pageParam, signal),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last: ListOf<T>) => last.next_cursor ?? undefined,
  });
}
const paged = (cursor: string | undefined, limit = PAGE) => (cursor ? { limit, cursor } : { limit });

export const session = queryOptions({
  queryKey: ['sessions', 'own'],
  queryFn: ({ signal }) => ok(hub.GET('/api/v1/session', { signal })),
  staleTime: 60_000,
  retry: (count, error) => count < 2 && error instanceof ApiError && (error.status === 503 || error.code === 'offline'),
});

export const overview = queryOptions({
  queryKey: ['overview'],
  queryFn: ({ signal }) => read(() => hub.GET('/api/v1/overview', { signal })),
});
export const statistics = (days: number) =>
  queryOptions({
    queryKey: ['statistics', days],
    queryFn: ({ signal }) => read(() => hub.GET('/api/v1/statistics', { params: { query: { days } }, signal })),
    staleTime: 60_000,
  });

export type MemberFilter = {
  q?: string | undefined;
  status?: Schemas['MemberStatus'] | undefined;
  role?: Schemas['Role'] | undefined;
  managed_by?: string | undefined;
  waiting_for?: Schemas['WaitingFor'] | undefined;
  blocked?: boolean | undefined;
};
/** The filter without what is not set: the API refuses empty parameters. */
export function set<T extends object>(filter: T) {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined && value !== '')) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
export const members = (filter: MemberFilter) =>
  pages(['members', 'list', filter], (cursor, signal) =>
    read(() => hub.GET('/api/v1/members', { params: { query: { ...set(filter), ...paged(cursor), order: 'desc' } }, signal })),
  );
export const member = (id: string) =>
  queryOptions({
    queryKey: ['members', id],
    queryFn: ({ signal }) => read(() => hub.GET('/api/v1/members/{id}', { params: { path: { id } }, signal })),
  });
export const explainMember = (id: string) =>
  queryOptions({
    queryKey: ['explain', id],
    queryFn: ({ signal }) => read(() => hub.GET('/api/v1/members/{id}/explain', { params: { path: { id } }, signal })),
  });
/** Everybody whom a text may mean: an address when it has an at sign, an external id, or a person found by words. */
export const explain = (q: string) =>
  queryOptions({
    queryKey: ['explain', 'text', q],
    queryFn: async ({ signal }) => {
      if (q.includes('@')) {
        return await read(() => hub.GET('/api/v1/explain', { params: { query: { email: q } }, signal }));
      }
      const known = await read(() => hub.GET('/api/v1/members', { params: { query: { q, limit: 10 } }, signal }));
      if (known.items.length === 0) {
        return await read(() => hub.GET('/api/v1/explain', { params: { query: { external_id: q } }, signal }));
      }
      const items = known.items.map(({ id }) => read(() => hub.GET('/api/v1/members/{id}/explain', { params: { path: { id } }, signal })));
      return { items: await Promise.all(items) };
    },
  });

export type GroupList = Schemas['SharingGroup'];
export const groups = pages(['groups', 'list'], (cursor, signal) =>
  read(() => hub.GET('/api/v1/groups', { params: { query: paged(cursor) }, signal })),
);
export const group = (id: string) =>
  queryOptions({
    queryKey: ['groups', id],
    queryFn: ({ signal }) => read(() => hub.GET('/api/v1/groups/{id}', { params: { path: { id } }, signal })),
  });
export const groupMembers = (id: string) =>
  pages(['groups', id, 'members'], (cursor, signal) =>
    read(() => hub.GET('/api/v1/groups/{id}/members', { params: { path: { id }, query: paged(cursor) }, signal })),
  );

export const runs = (state: Schemas['RunState'] | undefined) =>
  pages(['runs', 'list', state], (cursor, signal) =>
    read(() => hub.GET('/api/v1/runs', { params: { query: { ...set({ state }), ...paged(cursor, 100), order: 'desc' } }, signal })),
  );
export const run = (id: string) =>
  queryOptions({
    queryKey: ['runs', id],
    queryFn: ({ signal }) => read(() => hub.GET('/api/v1/runs/{id}', { params: { path: { id } }, signal })),
    // A worker is on it; `GET /changes` may be cut off, so the page looks by itself.
    refetchInterval: ({ state: { data } }) => (data?.state === 'planning' || data?.state === 'approved' ? 2000 : false),
  });
/** The items of a run as it was with this digest and state: they stay as they are under the eyes of whoever reviews them. */
export const runItems = (id: string, digest: string, state: string) => ({
  ...pages(['run-items', id, digest, state], (cursor, signal) =>
    read(() => hub.GET('/api/v1/runs/{id}/items', { params: { path: { id }, query: paged(cursor) }, signal })),
  ),
  staleTime: Number.POSITIVE_INFINITY,
});

export const policy = queryOptions({
  queryKey: ['policy'],
  queryFn: ({ signal }) => read(() => hub.GET('/api/v1/policy', { signal })),
});
export const skipped = (ignored: boolean) =>
  pages(['skipped-records', ignored], (cursor, signal) =>
    read(() => hub.GET('/api/v1/skipped-records', { params: { query: { ...paged(cursor), ...(ignored ? { ignored } : {}) } }, signal })),
  );
export type AuditFilter = {
  kind?: Schemas['AuditKind'] | undefined;
  subject_id?: string | undefined;
  request_id?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
};
export const audit = (filter: AuditFilter, limit = 100) =>
  pages(['audit-events', filter, limit], (cursor, signal) =>
    read(() => hub.GET('/api/v1/audit-events', { params: { query: { ...set(filter), ...paged(cursor, limit), order: 'desc' } }, signal })),
  );
