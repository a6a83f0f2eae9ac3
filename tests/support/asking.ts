/** An `authorize` whose answers the test gives, one for each call, by method. */
export function asking() {
  const waiting = new Map<string, (answer: unknown) => void>();
  const arrivals = new Map<string, () => void>();
  const authorize = ({ method: name }: { readonly method: string }) =>
    new Promise<never>((resolve) => {
      // The tests hand in whatever they like, as JavaScript's users can.
      waiting.set(name, resolve as (answer: unknown) => void);
      arrivals.get(name)?.();
    });
  return {
    authorize,
    asked: (name: string) =>
      new Promise<void>((resolve) => {
        if (waiting.has(name)) resolve();
        else arrivals.set(name, resolve);
      }),
    answer: (name: string, value: unknown) => waiting.get(name)?.(value),
  };
}
