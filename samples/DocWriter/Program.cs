// Continues a text in the manner of .NET's documentation.
using System.Globalization;
using System.Text;
using DocWriter;

const int Length = 200;

if (args.Length is 0 or > 3 || args[0].Length == 0)
{
    Console.Error.WriteLine("Usage: DocWriter \"start of a text\" [temperature, 0.7] [seed, 1]");
    return 1;
}
double temperature = args.Length > 1 ? double.Parse(args[1], CultureInfo.InvariantCulture) : 0.7;
int seed = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 1;

using var writer = new Writer(Path.Combine(AppContext.BaseDirectory, "model.mixed.onnx"));
Decoder decoder = Encoding.UTF8.GetDecoder();
char[] characters = new char[4];

Console.Write(args[0]);
foreach (byte next in writer.Continue(Encoding.UTF8.GetBytes(args[0]), temperature, seed).Take(Length))
{
    // A character may take several bytes: print it when it is complete.
    Console.Write(characters, 0, decoder.GetChars([next], 0, 1, characters, 0));
}
Console.WriteLine();
return 0;
