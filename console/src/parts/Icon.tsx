const PATHS = {
  clock: 'M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11ZM8 5v3.2l2 1.3',
  envelope: 'M2.5 4h11v8h-11zM2.5 4.5 8 9l5.5-4.5',
  check: 'm3 8.5 3.2 3.2L13 4.8',
  pause: 'M5.5 4v8M10.5 4v8',
  cross: 'm4 4 8 8M12 4l-8 8',
  queue: 'M3 4h10M3 8h7M3 12h4',
  alarm: 'M8 3v6M8 12.2v.3',
  menu: 'M2.5 4h11M2.5 8h11M2.5 12h11',
  search: 'M7 2.8a4.2 4.2 0 1 0 0 8.4 4.2 4.2 0 0 0 0-8.4ZM10.2 10.2 13.5 13.5',
  question: 'M5.8 6a2.2 2.2 0 1 1 3 2c-.6.3-.8.7-.8 1.4M8 12.2v.3',
};
export type IconName = keyof typeof PATHS;

/** A stroke of 16 px beside a word; it says nothing by itself. */
export function Icon({ name, size = 14 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.8" aria-hidden="true">
      <path d={PATHS[name]} strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
