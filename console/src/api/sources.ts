import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query';
import { hub, read } from './client';

export const sources = queryOptions({
  queryKey: ['sources', 'list'],
  queryFn: ({ signal }) => read(() => hub.GET('/api/v1/sources', { params: { query: { limit: 200 } }, signal })),
});
const of = (id: string) => ({ path: { id } });
export const source = (id: string) =>
  queryOptions({
    queryKey: ['sources', id],
    queryFn: ({ signal }) => read(() => hub.GET('/api/v1/sources/{id}', { params: of(id), signal })),
  });
export const tokens = (id: string) =>
  queryOptions({
    queryKey: ['tokens', id],
    queryFn: ({ signal }) => read(() => hub.GET('/api/v1/sources/{id}/tokens', { params: { ...of(id), query: { limit: 200 } }, signal })),
  });
export const dialect = (id: string) =>
  queryOptions({
    queryKey: ['dialect', id],
    queryFn: ({ signal }) => read(() => hub.GET('/api/v1/sources/{id}/dialect', { params: { ...of(id), query: { days: 30 } }, signal })),
  });
export const rejected = (id: string) =>
  queryOptions({
    queryKey: ['rejected', id],
    queryFn: ({ signal }) =>
      read(() => hub.GET('/api/v1/sources/{id}/rejected', { params: { ...of(id), query: { limit: 100, order: 'desc' } }, signal })),
  });
export const requests = (id: string, every: number | false = false) =>
  infiniteQueryOptions({
    queryKey: ['request-log', id],
    queryFn: ({ pageParam, signal }) =>
      read(() =>
        hub.GET('/api/v1/request-log', {
          params: { query: { source_id: id, limit: 100, order: 'desc', ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
    refetchInterval: every,
  });
export const promotion = (id: string, every: number | false = false) =>
  queryOptions({
    queryKey: ['promotion', id],
    queryFn: ({ signal }) => read(() => hub.GET('/api/v1/sources/{id}/promotion', { params: of(id), signal })),
    refetchInterval: every,
  });
export const promotionItems = (id: string, digest: string) =>
  infiniteQueryOptions({
    queryKey: ['promotion-items', id, digest],
    queryFn: ({ pageParam, signal }) =>
      read(() =>
        hub.GET('/api/v1/sources/{id}/promotion/items', {
          params: { ...of(id), query: { limit: 200, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: (last) => last.next_cursor ?? undefined,
  });
