"""Ways out: a lesson or a newsletter item as e-mail, DOCX, PPTX, PDF, SCORM and xAPI packages, and their validator."""
