// What is wider than its place scrolls sideways: its edge fades where there is more, a keyboard reaches it, and the tab
// one is in stands in view. On a page of several sections the tab of the one that is read is marked.
(() => {
    const sideways = ".bp-tabs, .bp-tablewrap";

    const fade = (box) => {
        const hidden = box.scrollWidth - box.clientWidth;
        box.classList.toggle("bp-more-left", hidden > 1 && box.scrollLeft > 1);
        box.classList.toggle("bp-more-right", hidden > 1 && box.scrollLeft < hidden - 1);
        if (!box.matches(".bp-tablewrap")) return;
        if (hidden > 1) {
            box.tabIndex = 0;
            box.setAttribute("role", "group");
            box.setAttribute("aria-label", "Table, scrolls sideways");
        } else {
            for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
        }
    };

    const show = (tab) => {
        const box = tab.parentElement;
        const middle = tab.offsetLeft - box.offsetLeft + tab.offsetWidth / 2;
        box.scrollLeft = middle - box.clientWidth / 2;
    };

    const watched = new WeakSet();
    const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => {
        target.querySelectorAll(":scope > [aria-current]").forEach(show);
        fade(target);
    }));
    const watch = () => {
        for (const box of document.querySelectorAll(sideways)) {
            if (watched.has(box)) continue;
            watched.add(box);
            resized.observe(box);
            box.addEventListener("scroll", () => fade(box), { passive: true });
        }
    };

    const follow = () => {
        const tabs = [...document.querySelectorAll('.bp-tabs a[href^="#"]')];
        const parts = tabs.map((tab) => document.getElementById(tab.hash.slice(1)));
        if (!tabs.length || parts.includes(null)) return;
        const mark = () => {
            const below = parts.findIndex((part) => part.getBoundingClientRect().bottom > window.innerHeight / 4);
            const here = below < 0 ? parts.length - 1 : below;
            tabs.forEach((tab, place) => {
                if (place === here) tab.setAttribute("aria-current", "true");
                else tab.removeAttribute("aria-current");
            });
        };
        document.addEventListener("scroll", mark, { passive: true, capture: true });
        window.addEventListener("resize", mark);
        mark();
    };

    document.addEventListener("DOMContentLoaded", () => {
        watch();
        follow();
    });
    document.addEventListener("htmx:afterSettle", watch);
})();
