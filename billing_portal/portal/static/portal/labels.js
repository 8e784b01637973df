// The boxes that select2 puts in the place of a select are named like it, as soon as they are there.
(() => {
    function name(box) {
        const field = box.id.replace(/^select2-/, "").replace(/-container$/, "");
        const label = document.querySelector(`label[for="${CSS.escape(field)}"]`);
        if (!label) return;
        const words = label.textContent.trim().replace(/\s*\*$/, "");
        const combobox = box.closest(".select2-selection");
        combobox.removeAttribute("aria-labelledby");
        for (const named of [box, combobox]) named.setAttribute("aria-label", words);
    }
    const nameAll = () => document.querySelectorAll(".select2-selection__rendered:not([aria-label])").forEach(name);
    new MutationObserver(nameAll).observe(document.documentElement, { childList: true, subtree: true });
})();
