@echo off
rem Written by "main.py launchers" from _internal/facewright/launchers.py: change it there.
setlocal EnableExtensions DisableDelayedExpansion
chcp 65001 >nul
set "dev="
call "%~dp0_internal\bootstrap.bat"
if not errorlevel 1 "%python%" "%~dp0main.py" compare %*
set "code=%errorlevel%"
rem A double-click starts "cmd /c script" without arguments: its window stays open until a key is pressed.
setlocal EnableDelayedExpansion
set "line=!cmdcmdline!"
if "%~1"=="" if not "!line:/c=!"=="!line!" pause
exit /b %code%
