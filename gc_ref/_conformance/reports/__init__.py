"""What readers see of a judgment: text, Markdown, HTML, tables of many ports, badge."""
