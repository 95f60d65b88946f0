import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** Asks before something is done, does it, and says what went wrong. Escape and Cancel leave all as it was. */
export function Confirm(props: {
  title: string;
  action: string;
  children: ComponentChildren;
  act: () => Promise<unknown>;
  close: () => void;
}) {
  const { title, action, children, act, close } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  useEffect(() => dialog.current?.showModal(), []);

  const confirm = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await act();
      close();
    } catch (error) {
      setFailure(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };
  return (
    <dialog ref={dialog} aria-labelledby="confirm-title" onClose={close}>
      <form method="dialog" onSubmit={confirm}>
        <h2 id="confirm-title">{title}</h2>
        {children}
        {failure && (
          <p role="alert" class="failure">
            That did not work: {failure}
          </p>
        )}
        <div class="actions">
          <button type="button" onClick={close}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={busy}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
