"""What the demo shop sells: ten departments, fifty kinds of goods, one page each."""

from mercat.lab.demo.departments.beauty import BEAUTY
from mercat.lab.demo.departments.books import BOOKS
from mercat.lab.demo.departments.clothing import CLOTHING
from mercat.lab.demo.departments.electronics import ELECTRONICS
from mercat.lab.demo.departments.garden import GARDEN
from mercat.lab.demo.departments.grocery import GROCERY
from mercat.lab.demo.departments.home import HOME
from mercat.lab.demo.departments.office import OFFICE
from mercat.lab.demo.departments.sports import SPORTS
from mercat.lab.demo.departments.toys import TOYS

DEPARTMENTS = (ELECTRONICS, HOME, BOOKS, CLOTHING, TOYS, SPORTS, BEAUTY, GARDEN, OFFICE, GROCERY)

__all__ = ["DEPARTMENTS"]
