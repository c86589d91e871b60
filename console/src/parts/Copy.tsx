import { useRef, useState } from 'react';
import { w } from '../words';

/** A value and a button that copies it. On plain HTTP there is no clipboard: the value is selected, and the button says the keys. */
export function Copy({ text, short = false, label }: { text: string; short?: boolean; label?: string }) {
  const code = useRef<HTMLElement>(null);
  const [said, setSaid] = useState<string | null>(null);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      setSaid(w.copied);
    } catch {
      if (code.current) getSelection()?.selectAllChildren(code.current);
      setSaid(w.pressCopy);
    }
    window.setTimeout(() => setSaid(null), 2500);
  }
  return (
    <span className="copy-line">
      <code ref={code} title={text}>
        {short && text.length > 13 ? `${text.slice(0, 8)}…${text.slice(-4)}` : text}
      </code>
      <button type="button" className="button small no-print" onClick={copy} aria-label={said ?? `${w.copy}: ${label ?? text}`}>
        <span aria-live="polite">{said ?? w.copy}</span>
      </button>
    </span>
  );
}
