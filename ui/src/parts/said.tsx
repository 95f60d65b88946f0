/** A sentence of the API: it begins with a capital letter, and names in backticks stand out. */
export function Said({ text }: { text: string | undefined }) {
  const [first = "", ...others] = (text ?? "").split("`");
  return (
    <>
      {first.charAt(0).toUpperCase() + first.slice(1)}
      {others.map((part, at) => (at % 2 === 0 ? <code key={at}>{part}</code> : part))}
    </>
  );
}
