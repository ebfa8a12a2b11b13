@rem Called by every .bat script. Sets %python%, the interpreter of an environment that is whole;
@rem bootstrap.py makes or mends it when the check fails. %dev% is --dev for the tests.
@echo off
set "PYTHONHOME="
set "PYTHONPATH="
set "python=%~dp0env\Scripts\python.exe"
if not exist "%python%" goto make
"%python%" -I -S "%~dp0bootstrap.py" --check %dev% >nul 2>nul
if %errorlevel%==0 exit /b 0

:make
set "base="
if defined FACEWRIGHT_PYTHON set base="%FACEWRIGHT_PYTHON%"
if not defined base call :try py -3.11
if not defined base call :try py -3.12
if not defined base call :try py -3.13
if not defined base call :try python
if not defined base goto nopython
%base% "%~dp0bootstrap.py" %dev%
exit /b %errorlevel%

:try
%* -c "import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))" >nul 2>nul
if %errorlevel%==0 set "base=%*"
exit /b 0

:nopython
echo No fitting Python was found.
echo   Expected: Python 3.11, 3.12 or 3.13, 64-bit.
echo   To fix it: install one from Python's home page, or set FACEWRIGHT_PYTHON to the path of a python.exe.
exit /b 1
