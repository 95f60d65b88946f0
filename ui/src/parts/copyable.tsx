import { useRef, useState } from "preact/hooks";

/** How long "Copied" is shown. */
const SHOWN_MS = 3_000;

/** Lines that are to be put somewhere else, with a button that copies them. */
export function Copyable({ text, label }: { text: string; label: string }) {
  const block = useRef<HTMLPreElement>(null);
  const [said, say] = useState("");
  const copy = async () => {
    say((await copied(text, block.current)) ? "Copied" : "Selected: copy it with your keyboard");
    setTimeout(() => say(""), SHOWN_MS);
  };
  return (
    <div class="copyable">
      {/* Focusable, so that the keyboard can scroll it. */}
      <pre ref={block} tabIndex={0} aria-label={label}>
        {text.trimEnd()}
      </pre>
      <button type="button" onClick={copy}>
        Copy
      </button>
      <span role="status">{said}</span>
    </div>
  );
}

/** Browsers give the clipboard only to pages over TLS or from this machine: elsewhere the text is selected at least. */
async function copied(text: string, block: HTMLElement | null): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    if (block) getSelection()?.selectAllChildren(block);
    return false;
  }
}
