export type MadeToken = { token: string; address: string | null };

// A token is shown once: it is handed from the page that made the source to the next one, which takes it, and is kept nowhere else.
const made = new Map<string, MadeToken>();

export const hand = (source: string, token: MadeToken) => void made.set(source, token);
export function take(source: string): MadeToken | null {
  const token = made.get(source) ?? null;
  made.delete(source);
  return token;
}
