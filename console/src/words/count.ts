const plural = new Intl.PluralRules('en');

/** A number with its noun: "1 person", "3 people". */
export const count = (n: number, one: string, many: string) => `${n.toLocaleString('en')} ${plural.select(n) === 'one' ? one : many}`;
