import { useSyncExternalStore } from 'react';

const narrow = matchMedia('(max-width: 767px)');

/** True on a phone, where tables keep two columns. */
export function useNarrow() {
  return useSyncExternalStore(
    (listener) => {
      narrow.addEventListener('change', listener);
      return () => narrow.removeEventListener('change', listener);
    },
    () => narrow.matches,
  );
}
