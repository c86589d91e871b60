import { useLayoutEffect, useRef, useState } from 'react';

const OVERSCAN = 8;

/** The rows of a long list that are in sight, as the page scrolls. All rows have one height. */
export function useWindow<T extends HTMLElement>(count: number, height: number) {
  const box = useRef<T>(null);
  const [[first, last], setRange] = useState([0, 40]);
  useLayoutEffect(() => {
    const look = () => {
      const top = box.current?.getBoundingClientRect().top ?? 0;
      const from = Math.max(0, Math.floor(-top / height) - OVERSCAN);
      const to = Math.ceil((innerHeight - top) / height) + OVERSCAN;
      setRange((now) => (now[0] === from && now[1] === to ? now : [from, to]));
    };
    look();
    addEventListener('scroll', look, { passive: true });
    addEventListener('resize', look);
    addEventListener('beforeprint', all);
    function all() {
      setRange([0, Number.MAX_SAFE_INTEGER]);
    }
    return () => {
      removeEventListener('scroll', look);
      removeEventListener('resize', look);
      removeEventListener('beforeprint', all);
    };
  }, [height]);
  const from = Math.min(first, Math.max(0, count - 1));
  const to = Math.min(count, last);
  return { box, from, to, before: from * height, after: Math.max(0, (count - to) * height) };
}
