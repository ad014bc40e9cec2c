using MixedPrecision.Browser;

// PAGE FOLDER [CHROMIUM]: looks at a page of `mixed-precision report` in headless Chromium, by pointer, by keys and by axe's rules, and puts screenshots into the folder.
if (args.Length is < 2 or > 3)
{
    Console.Error.WriteLine("PAGE FOLDER [CHROMIUM]");
    return 2;
}

string[] problems = await PageCheck.Run(new Uri(Path.GetFullPath(args[0])).AbsoluteUri, Directory.CreateDirectory(args[1]).FullName, args.Length == 3 ? args[2] : "/usr/bin/chromium");
foreach (string problem in problems)
{
    Console.WriteLine(problem);
}

Console.WriteLine(problems.Length == 0 ? "nothing to complain of" : $"{problems.Length} problems");
return problems.Length == 0 ? 0 : 1;
