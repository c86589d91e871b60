import { useEffect } from 'react';
import type { Run, RunItem } from '../../api/client';
import { runItems } from '../../api/queries';
import { useList } from '../../parts/useList';

/** All items of a run, read page by page until they are complete: hunks and counts need the whole plan. */
export function useItems(run: Pick<Run, 'id' | 'digest' | 'state'>) {
  const list = useList<RunItem>(runItems(run.id, run.digest, run.state));
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = list;
  useEffect(() => {
    if (hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);
  return {
    rows: list.rows,
    isLoading: list.isPending,
    isComplete: list.isSuccess && !list.hasNextPage,
    error: list.error,
    retry: () => void (list.data ? list.fetchNextPage() : list.refetch()),
  };
}
