"""python -m ecoassist"""

from .cli.main import main

main()
