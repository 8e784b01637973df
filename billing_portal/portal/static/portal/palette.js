// The command palette: Ctrl+K or the button opens it, arrows go through what was found, Enter opens the first.
(() => {
    const palette = () => document.getElementById("palette");

    const open = () => {
        const dialog = palette();
        if (!dialog || dialog.open) return;
        dialog.showModal();
        dialog.querySelector("input").select();
    };

    const step = (dialog, by) => {
        const stops = [dialog.querySelector("input"), ...dialog.querySelectorAll(".bp-found a")];
        const at = stops.indexOf(document.activeElement);
        stops[(at + by + stops.length) % stops.length].focus();
    };

    document.addEventListener("keydown", (event) => {
        const dialog = palette();
        if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
            event.preventDefault();
            open();
        } else if (dialog && dialog.open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
            event.preventDefault();
            step(dialog, event.key === "ArrowDown" ? 1 : -1);
        }
    });

    document.addEventListener("click", (event) => {
        if (event.target.closest("[data-palette]")) {
            event.preventDefault();
            open();
        } else if (event.target === palette()) {
            palette().close(); // beside it
        }
    });

    // What is shown may belong to fewer letters than are typed; then the page of search answers instead.
    let shown = "";
    document.addEventListener("htmx:afterSwap", (event) => {
        if (event.target.id === "palette-found") shown = palette().querySelector("input").value;
    });
    document.addEventListener("submit", (event) => {
        const dialog = palette();
        if (!dialog || !dialog.contains(event.target)) return;
        const first = dialog.querySelector(".bp-found a");
        if (first && shown === dialog.querySelector("input").value) {
            event.preventDefault();
            first.click();
        }
    });
})();
