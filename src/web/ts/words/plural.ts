// Plural forms through the locale's own rules.

const rules = new Intl.PluralRules(globalThis.document?.documentElement.lang || "en");
const whole = new Intl.NumberFormat(globalThis.document?.documentElement.lang || "en");

/** The form for `n`, with `#` replaced by the number. `other` is every language's fallback. */
export function plural(n: number, forms: { one?: string; few?: string; many?: string; other: string }): string {
  const rule = rules.select(n);
  const form = (rule in forms ? forms[rule as keyof typeof forms] : undefined) ?? forms.other;
  return form.replaceAll("#", whole.format(n));
}
