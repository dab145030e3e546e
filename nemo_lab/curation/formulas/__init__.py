"""Formulas in web pages to LaTeX: MathML, scripts of MathJax and KaTeX, images' texts, symbols."""
