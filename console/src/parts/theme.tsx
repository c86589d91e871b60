import { useState } from 'react';
import { w } from '../words';

const THEMES = ['system', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];
const KEY = 'rollcall-theme';

/** Goes round the three themes; `public/assets/theme.js` reads the choice before the first paint. */
export function ThemeButton() {
  const [theme, setTheme] = useState<Theme>(() => THEMES.find((one) => one === localStorage.getItem(KEY)) ?? 'system');
  function next() {
    const to = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';
    localStorage.setItem(KEY, to);
    if (to === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = to;
    setTheme(to);
  }
  return (
    <button type="button" className="plain" onClick={next}>
      {w.theme[theme]}
    </button>
  );
}
