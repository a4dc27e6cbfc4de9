"""A reader of HTML pages, for the tests: what is in a page, and whether it is well-formed."""

from html.parser import HTMLParser

VOID = {"meta", "link", "br", "wbr", "hr", "img", "input"}


class Page(HTMLParser):
    """Elements of a page in order, each with its attributes, its parents and its text."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.open, self.faults = [], [], []
        self.feed(text)
        self.close()
        self.faults += [f"<{e['tag']}> is not closed" for e in self.open]

    def handle_starttag(self, tag, attrs, *, closed=False):
        names = [name for name, _ in attrs]
        if len(names) != len(set(names)):
            self.faults.append(f"<{tag}> has an attribute twice")
        element = {"tag": tag, "attrs": dict(attrs), "text": "",
                   "in": [e["tag"] for e in self.open], "parent": self.open[-1:]}  # fmt: skip
        self.elements.append(element)
        if tag not in VOID and not closed:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs, closed=True)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1]["tag"] != tag:
            self.faults.append(f"</{tag}> closes {[e['tag'] for e in self.open][-3:]}")
            return
        self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, *tags):
        return [e for e in self.elements if e["tag"] in tags]

    def inside(self, element):
        """Elements whose parents hold this one."""
        found = []
        for e in self.elements:
            up = e["parent"]
            while up:
                if up[0] is element:
                    found.append(e)
                    break
                up = up[0]["parent"]
        return found
