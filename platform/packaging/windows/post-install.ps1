# Last step of a per-user Windows installer: starts the program once, told that an installer did it. Starting
# at login is the user's choice: `mcpproxy autostart enable` makes the entry under the Run key.
param([Parameter(Mandatory = $true)][string]$Program)
$env:MCPPROXY_LAUNCHED_BY = 'installer'
Start-Process -FilePath $Program -ArgumentList 'serve' -WindowStyle Hidden
Remove-Item Env:MCPPROXY_LAUNCHED_BY
